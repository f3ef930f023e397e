// The smallest function: an event in, an answer out. Behind an HTTP trigger the event is the request as JSON.
exports.handler = async (event, context) => {
  const request = parse(event);
  const name = request.queryParameters?.name ?? request.name ?? 'world';
  console.log(`greeting ${name}`);
  return { statusCode: 200, headers: { 'content-type': 'text/plain' }, body: `Hello, ${name}, from ${context.function.name}!\n` };
};

function parse(event) {
  try {
    return JSON.parse(event.toString() || '{}');
  } catch {
    return {};
  }
}
