import { fcPath, type FcClient } from '../api/fc-client.ts';

interface TagRow {
  readonly TagKey: string;
  readonly TagValue: string;
}

/** Gives a function exactly these tags (FC reference 1.9). */
export async function sendTags(
  client: FcClient,
  functionArn: string,
  tags: readonly { readonly key: string; readonly value: string }[],
): Promise<void> {
  const path = fcPath`/tags-v2`;
  const resource = JSON.stringify([functionArn]);
  const query = { ResourceType: 'function', ResourceId: resource };
  const answer = await client.call<{ TagResources?: readonly TagRow[] }>('ListTagResources', 'GET', path, {
    query: { ...query, Limit: '100' },
  });
  const gone = (answer.TagResources ?? [])
    .map((row) => row.TagKey)
    .filter((key) => !tags.some((tag) => tag.key === key));
  if (gone.length > 0) {
    await client.call('UntagResources', 'DELETE', path, { query: { ...query, TagKey: JSON.stringify(gone) } });
  }
  if (tags.length === 0) return;
  await client.call('TagResources', 'POST', path, {
    body: {
      ResourceType: 'function',
      ResourceId: [functionArn],
      Tag: tags.map(({ key, value }) => ({ Key: key, Value: value })),
    },
  });
}
