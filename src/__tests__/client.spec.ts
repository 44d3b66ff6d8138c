// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { ApiClient, ApiError, encodeName } from '../api/client';
import { fakeSettings } from './utils';

function clientWith(answer: () => Response | Promise<Response>): {
  client: ApiClient;
  requests: Request[];
} {
  const requests: Request[] = [];
  const settings = fakeSettings(async request => {
    requests.push(request);
    return answer();
  });
  return { client: new ApiClient(settings), requests };
}

const ok = (body: unknown) => () =>
  new Response(JSON.stringify(body), { status: 200 });

describe('ApiClient', () => {
  it('asks below the base url, with the path that chooses the workspace', async () => {
    const { client, requests } = clientWith(ok({ items: [] }));
    await client.runs('a folder/b&c', {
      where: "parameters.model = 'svm' and metrics.x > 1",
      search: '',
      limit: 100
    });
    const url = new URL(requests[0].url);
    expect(url.pathname).toBe('/user/a%40b/dotscience/v1/runs');
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      path: 'a folder/b&c',
      where: "parameters.model = 'svm' and metrics.x > 1",
      limit: '100'
    });
    expect(url.searchParams.has('search')).toBe(false);
  });

  it('writes booleans and offsets as the server reads them', async () => {
    const { client, requests } = clientWith(ok({}));
    await client.status('p', true);
    await client.status('p');
    await client.commits('p', { offset: 0 });
    expect(new URL(requests[0].url).searchParams.get('fresh')).toBe('1');
    expect(new URL(requests[1].url).searchParams.has('fresh')).toBe(false);
    expect(new URL(requests[2].url).searchParams.get('offset')).toBe('0');
  });

  it('posts JSON', async () => {
    const { client, requests } = clientWith(ok({ commit: null, message: '' }));
    await client.commit('p', 'why');
    expect(requests[0].method).toBe('POST');
    expect(requests[0].headers.get('Content-Type')).toBe('application/json');
    expect(await requests[0].json()).toEqual({ description: 'why' });
  });

  it('goes back only with a confirmation', async () => {
    const { client, requests } = clientWith(ok({ commit: null, message: '' }));
    await client.rollback('p', 'c0ffee');
    expect(requests[0].method).toBe('POST');
    expect(requests[0].url).toContain('v1/commits/c0ffee/rollback?path=p');
    expect(await requests[0].json()).toEqual({ confirm: true });
  });

  it('keeps odd names apart in addresses', async () => {
    expect(encodeName('data/a b#?.csv')).toBe('data/a%20b%23%3F.csv');
    // Joining would fold these into other names.
    expect(encodeName('a//b')).toBe('a%2F%2Fb');
    expect(encodeName('../secret')).toBe('..%2Fsecret');
    const { client, requests } = clientWith(ok({}));
    await client.series('p', 'r1', 'loss//train', 10);
    expect(new URL(requests[0].url).pathname).toBe(
      '/user/a%40b/dotscience/v1/runs/r1/series/loss%2F%2Ftrain'
    );
  });

  it('tells what the server says is wrong', async () => {
    const { client } = clientWith(
      () =>
        new Response(
          JSON.stringify({
            code: 'invalid_where',
            message: 'There is no field x',
            details: 'x\n^'
          }),
          { status: 400 }
        )
    );
    const error = await client.runs('p', { where: 'x' }).catch(e => e);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      status: 400,
      code: 'invalid_where',
      message: 'There is no field x',
      details: 'x\n^'
    });
  });

  it('tells a missing server extension from a missing run', async () => {
    const missing = clientWith(
      () => new Response('<html>404</html>', { status: 404 })
    );
    await expect(missing.client.version()).rejects.toMatchObject({
      status: 404,
      code: 'missing'
    });
    const run = clientWith(
      () =>
        new Response(JSON.stringify({ code: 'not_found', message: 'No run' }), {
          status: 404
        })
    );
    await expect(run.client.run('p', 'r')).rejects.toMatchObject({
      code: 'not_found'
    });
  });

  it('tells when the server cannot be reached', async () => {
    const { client } = clientWith(() => Promise.reject(new TypeError('down')));
    await expect(client.version()).rejects.toMatchObject({
      status: 0,
      code: 'offline'
    });
  });

  it('gives the bytes of a file, or the error', async () => {
    const { client } = clientWith(() => new Response('abc', { status: 206 }));
    const response = await client.readFile('p', 'c', 'data/a.csv');
    expect(await response.text()).toBe('abc');
    const broken = clientWith(
      () =>
        new Response(JSON.stringify({ code: 'not_found', message: 'gone' }), {
          status: 404
        })
    );
    await expect(broken.client.readFile('p', 'c', 'x')).rejects.toMatchObject({
      message: 'gone'
    });
  });
});
