// docs/engine-api.md: the endpoints of the Docker Engine API, from the table that the server finds routes in, and the fields of a container.
import { API_VERSION, LEAST_API_VERSION, listFields, listRoutes } from '../../engine/api/index.ts';
import { makePage, makeTable, type Page } from './page.ts';

export function makeEngineApiPage(): Page {
  const rows = new Map<string, string[]>();
  for (const { method, path, support, summary, lacks } of listRoutes()) {
    const shown = path.replaceAll(':path}', '}');
    const known = rows.get(`${shown} ${support} ${summary}`);
    if (known === undefined) rows.set(`${shown} ${support} ${summary}`, [method, `\`${shown}\``, support, lacks === undefined ? summary : `${summary}; lacks: ${lacks}`]);
    else known[0] = `${known[0]}, ${method}`;
  }
  return makePage('docs/engine-api.md', 'Docker Engine API', 'the routes in `engine/api`', [
    `\`hull engine\` serves versions ${LEAST_API_VERSION} to ${API_VERSION} of the Docker Engine API. A path may begin with a version, \`/v1.43/info\`; without one the newest is meant. An error is \`{"message": "…"}\`, with the status of its class in [engine/errors.ts](../engine/errors.ts). Each machine is a container; what began without the engine is seen by it, and what it began goes on without it.`,
    'On a unix socket (mode 0660; `--group` names its group) whoever can open it has the rights of the user who runs the engine. On TCP the engine listens with `--tlscacert`, `--tlscert` and `--tlskey` only, and takes only clients with a certificate of that authority.',
    '## Endpoints',
    makeTable(['method', 'path', 'support', 'what it does'], [...rows.values()]),
    '## Fields of a container that is created',
    makeTable(
      ['field', 'support'],
      listFields().map(({ name, note }) => [`\`${name}\``, note]),
    ),
    'Other fields of `HostConfig` are kept and shown by inspect. What cannot be had (devices of a GPU, links, other runtimes, a second network, given hardware addresses and the like) is refused, and what has no meaning for a machine is a warning in the answer: [docker-client.md](docker-client.md) goes through the options of Docker\'s client.',
  ]);
}
