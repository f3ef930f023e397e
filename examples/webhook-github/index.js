// A push to a branch, or a change of a pull request, as GitHub tells it. The signature has been checked before this runs.
exports.handler = async (raw) => {
  const { id, data } = JSON.parse(raw);
  const { headers, body } = data;
  const event = headers['X-GitHub-Event'] ?? headers['x-github-event'];
  const repository = body.repository?.full_name;
  if (event === 'push') {
    const branch = body.ref.replace('refs/heads/', '');
    console.log(`${repository}: ${body.commits.length} commits on ${branch} by ${body.pusher.name} (delivery ${id})`);
  } else {
    console.log(`${repository}: pull request ${body.number} ${body.action} (delivery ${id})`);
  }
};
