// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Contents } from '@jupyterlab/services';
import { ContentsManager } from '@jupyterlab/services';

import type { FileEntry } from '../api/schema';
import { FrozenDrive } from '../drive/drive';
import { resolveLink } from '../drive/models';
import {
  decodeWorkspace,
  encodeWorkspace,
  localMinute,
  parseDrivePath,
  parseLocalPath,
  parseRange,
  rangeSegment,
  toDrivePath,
  toLocalPath
} from '../drive/paths';
import type { Answers } from './run.fixtures';
import { COMMIT_A, makeClient } from './run.fixtures';

describe('paths', () => {
  const WORKSPACES = [
    '',
    'iris',
    'team/iris',
    '~',
    '~~',
    'a~-b',
    'RTC:x/y',
    'with space/and % percent',
    'ünï/cödé',
    '.',
    '..',
    '...',
    '~,',
    'a/~/b'
  ];

  it.each(WORKSPACES)('writes the workspace %p as one segment', workspace => {
    const segment = encodeWorkspace(workspace);
    expect(segment).not.toMatch(/[/:]/);
    expect(segment).not.toBe('');
    expect(segment).not.toMatch(/^\.+$/);
    expect(decodeWorkspace(segment)).toBe(workspace);
  });

  it('writes different workspaces differently', () => {
    expect(new Set(WORKSPACES.map(encodeWorkspace)).size).toBe(
      WORKSPACES.length
    );
  });

  it.each(WORKSPACES)('survives the contents manager (%p)', workspace => {
    const { client } = makeClient({});
    const contents = new ContentsManager();
    contents.addDrive(new FrozenDrive({ client }));
    for (const path of ['a.ipynb', 'x: y/b~c/d %20.txt', 'back\\\\slash', '']) {
      const frozen = { workspace, commit: COMMIT_A, path };
      const full = contents.normalize(toDrivePath(frozen));
      expect(contents.driveName(full)).toBe('dotscience');
      expect(contents.localPath(full)).toBe(toLocalPath(frozen));
      expect(parseLocalPath(contents.localPath(full))).toEqual(frozen);
      expect(parseDrivePath(full)).toEqual(frozen);
    }
  });

  it('names folders of commits with their moment, and documents without', () => {
    const frozen = { workspace: 'iris', commit: COMMIT_A, path: 'sub/a.txt' };
    const created = '2026-03-04T05:06:07Z';
    const dated = toLocalPath(frozen, created);
    expect(dated).toMatch(
      /^iris\/\d{4}-\d\d-\d\d \d\d\.\d\d a{64}\/sub\/a\.txt$/
    );
    expect(parseLocalPath(dated)).toEqual(frozen);
    expect(parseDrivePath(`dotscience:${dated}`)).toEqual(frozen);
    expect(toLocalPath(frozen)).toBe(`iris/${COMMIT_A}/sub/a.txt`);
    expect(localMinute('no time')).toBe('no time');
  });

  it('knows the folders of older commits', () => {
    const range = { first: 1, last: 200 };
    expect(parseRange(rangeSegment(range))).toEqual(range);
    for (const other of ['~0-3', '~5-4', '~1', '~-1-2', COMMIT_A, '~1-2x']) {
      expect(parseRange(other)).toBeNull();
    }
    expect(parseDrivePath('dotscience:iris/~1-200')).toBeNull();
  });

  it('knows what is not of a commit', () => {
    expect(parseDrivePath('team/a.ipynb')).toBeNull();
    expect(parseDrivePath('other:team/a.ipynb')).toBeNull();
    expect(parseDrivePath('dotscience:')).toBeNull();
    expect(parseDrivePath('dotscience:iris')).toBeNull();
  });
});

describe('resolveLink', () => {
  it.each([
    ['', 'a', 'a'],
    ['x/y', '../z', 'x/z'],
    ['x', './a//b', 'x/a/b'],
    ['x', '../..', null],
    ['', '/etc/passwd', null],
    ['x', '..', '']
  ])('from %p to %p is %p', (folder, target, path) => {
    expect(resolveLink(folder, target)).toBe(path);
  });
});

describe('FrozenDrive', () => {
  const entry = (
    path: string,
    kind: FileEntry['kind'] = 'file',
    target = ''
  ): FileEntry => ({
    path,
    name: path.split('/').pop()!,
    kind,
    size: 5,
    mode: 0o644,
    modified: '2026-03-04T05:06:07Z',
    digest: kind === 'file' ? 'd'.repeat(64) : '',
    target
  });
  const files = `v1/commits/${COMMIT_A}/files`;
  const bytes = (content: BodyInit, type: string) => () =>
    new Response(content, { headers: { 'Content-Type': type } });
  const notebook = {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: [
      {
        cell_type: 'code',
        metadata: { trusted: true, tags: ['x'] },
        source: ''
      }
    ]
  };
  const answers: Answers = {
    [files]: {
      path: '',
      items: [
        entry('n.ipynb'),
        entry('old.ipynb'),
        entry('broken.ipynb'),
        entry('sub', 'folder'),
        entry('link', 'symlink', 'sub/t.txt'),
        entry('out', 'symlink', '../x'),
        entry('loop', 'symlink', 'loop'),
        entry('bin')
      ]
    },
    [`${files}?under=sub`]: { path: 'sub', items: [entry('sub/t.txt')] },
    [`${files}/n.ipynb`]: bytes(
      JSON.stringify(notebook),
      'application/x-ipynb+json'
    ),
    [`${files}/old.ipynb`]: bytes('{"nbformat": 3}', 'application/json'),
    [`${files}/broken.ipynb`]: bytes('{', 'application/json'),
    [`${files}/sub/t.txt`]: bytes('h\u00e9llo', 'text/plain; charset=utf-8'),
    [`${files}/bin`]: bytes(
      new Uint8Array([0xff, 0x00, 0x80]),
      'application/octet-stream'
    ),
    'v1/commits': {
      items: [
        {
          id: COMMIT_A,
          created: '2026-03-04T05:06:07Z',
          message: 'train <b>\nmore'
        }
      ],
      total: 701,
      offset: 0
    }
  };
  const make = () => {
    const { client, asked } = makeClient(answers);
    const drive = new FrozenDrive({ client, workspaces: () => ['team/iris'] });
    const get = (
      path: string,
      options?: Contents.IFetchOptions
    ): Promise<Contents.IModel> =>
      drive.get(
        toLocalPath({ workspace: 'team/iris', commit: COMMIT_A, path }),
        options
      );
    return { drive, get, asked };
  };

  it('reads a notebook, and trusts nothing in it', async () => {
    const { get, asked } = make();
    const model = await get('n.ipynb', { type: 'notebook', hash: true });
    expect(model).toMatchObject({
      name: 'n.ipynb',
      type: 'notebook',
      format: 'json',
      writable: false,
      last_modified: '2026-03-04T05:06:07Z',
      hash: 'd'.repeat(64)
    });
    expect(model.content.cells[0].metadata).toEqual({ tags: ['x'] });
    expect(asked.every(({ query }) => query.get('path') === 'team/iris')).toBe(
      true
    );
  });

  it('reads text', async () => {
    const { get } = make();
    expect(
      await get('sub/t.txt', { type: 'file', format: 'text' })
    ).toMatchObject({
      type: 'file',
      format: 'text',
      mimetype: 'text/plain',
      content: 'héllo',
      writable: false
    });
    expect(
      (await get('n.ipynb', { type: 'file', format: 'text' })).content
    ).toBe(JSON.stringify(notebook));
  });

  it('reads bytes', async () => {
    const { get } = make();
    const expected = { format: 'base64', content: '/wCA', type: 'file' };
    expect(await get('bin', { format: 'base64' })).toMatchObject(expected);
    expect(await get('bin')).toMatchObject(expected);
    await expect(
      get('bin', { type: 'file', format: 'text' })
    ).rejects.toMatchObject({
      message: expect.stringContaining('is not text'),
      response: { status: 400 }
    });
  });

  it('asks for no bytes where no content is wanted', async () => {
    const { get, asked } = make();
    const model = await get('n.ipynb', { content: false });
    expect(model).toMatchObject({
      content: null,
      format: null,
      writable: false
    });
    expect(asked.map(({ path }) => path)).toEqual([files]);
  });

  it('lists folders', async () => {
    const { get } = make();
    const root = await get('');
    expect(root.type).toBe('directory');
    expect(
      root.content.map((child: Contents.IModel) => [child.name, child.type])
    ).toContainEqual(['sub', 'directory']);
    const sub = await get('sub', { type: 'directory' });
    expect(sub.content).toHaveLength(1);
    expect(sub.content[0]).toMatchObject({
      path: toLocalPath({
        workspace: 'team/iris',
        commit: COMMIT_A,
        path: 'sub/t.txt'
      }),
      writable: false,
      content: null
    });
  });

  it('lists workspaces and their commits', async () => {
    const { drive } = make();
    const top = await drive.get('');
    expect(top.content.map((child: Contents.IModel) => child.path)).toEqual([
      'team~-iris'
    ]);
    expect(top.content[0].name).toBe('team/iris');
    const workspace = await drive.get('team~-iris');
    const shown = (workspace.content as Contents.IModel[]).map(
      ({ name, path }) => [name, path]
    );
    expect(shown[0][0]).toMatch(/^2026-03-04 \d\d:\d\d aaaaaaaa train <b>$/);
    expect(parseLocalPath(shown[0][1])).toEqual({
      workspace: 'team/iris',
      commit: COMMIT_A,
      path: ''
    });
    // older ones are all reached
    expect(shown.slice(1)).toEqual([
      ['Commits 601 to 700', 'team~-iris/~601-700'],
      ['Commits 401 to 600', 'team~-iris/~401-600'],
      ['Commits 201 to 400', 'team~-iris/~201-400'],
      ['Commits 1 to 200', 'team~-iris/~1-200']
    ]);
  });

  it('lists older commits, counted from the first one', async () => {
    const { asked, drive } = make();
    const older = await drive.get('team~-iris/~201-400');
    expect(asked[1].query.get('offset')).toBe('301');
    expect(asked[1].query.get('limit')).toBe('200');
    expect(parseLocalPath(older.content[0].path).commit).toBe(COMMIT_A);
    // the path of another could ask for more than the server gives at once
    await drive.get('team~-iris/~1-99999999');
    expect(asked[3].query.get('offset')).toBe('0');
    expect(asked[3].query.get('limit')).toBe('200');
  });

  it('opens the same document from a folder named with its moment', async () => {
    const { drive } = make();
    const head = toLocalPath(
      { workspace: 'team/iris', commit: COMMIT_A, path: '' },
      '2026-03-04T05:06:07Z'
    );
    const { content } = await drive.get(head);
    const child = (name: string): Contents.IModel =>
      content.find((each: Contents.IModel) => each.name === name);
    expect(child('n.ipynb').path).toBe(`team~-iris/${COMMIT_A}/n.ipynb`);
    expect(child('sub').path).toBe(`${head}/sub`);
    const sub = await drive.get(`${head}/sub`);
    expect(sub.content[0].path).toBe(`team~-iris/${COMMIT_A}/sub/t.txt`);
  });

  it('follows links inside of the commit and no others', async () => {
    const { get } = make();
    expect((await get('link', { format: 'text' })).content).toBe('héllo');
    for (const path of ['out', 'loop']) {
      await expect(get(path)).rejects.toMatchObject({
        message: expect.stringContaining('which is not part of commit'),
        response: { status: 404 }
      });
    }
  });

  it.each([
    ['gone.txt', {}, 404, 'has no file gone.txt'],
    ['gone/x.txt', {}, 404, 'no such thing'],
    ['sub', { type: 'file' }, 400, 'is a folder'],
    ['n.ipynb', { type: 'directory' }, 400, 'is a file'],
    ['old.ipynb', { type: 'notebook' }, 400, 'old format'],
    ['broken.ipynb', { type: 'notebook' }, 400, 'is not a notebook']
  ])('says what is wrong with %p %p', async (path, options, status, text) => {
    const answersWithout = { ...answers };
    const { client } = makeClient(answersWithout);
    answersWithout[`${files}?under=gone`] = () =>
      new Response('{"code":"not_found","message":"no such thing"}', {
        status: 404
      });
    const drive = new FrozenDrive({ client });
    await expect(
      drive.get(
        toLocalPath({ workspace: '', commit: COMMIT_A, path }),
        options as Contents.IFetchOptions
      )
    ).rejects.toMatchObject({
      message: expect.stringContaining(text),
      response: { status }
    });
  });

  it('refuses to write, in a sentence', async () => {
    const { drive, asked } = make();
    const writes: (() => Promise<unknown>)[] = [
      () => drive.newUntitled(),
      () => drive.delete(),
      () => drive.rename(),
      () => drive.save(),
      () => drive.copy(),
      () => drive.createCheckpoint(),
      () => drive.restoreCheckpoint(),
      () => drive.deleteCheckpoint()
    ];
    for (const write of writes) {
      await expect(write()).rejects.toMatchObject({
        message:
          'Files of a commit are read-only. Make a scratch copy of one to work on it, or restore it to a new folder.',
        response: { status: 403 }
      });
    }
    expect(await drive.listCheckpoints()).toEqual([]);
    expect(asked).toEqual([]);
  });

  it('gives an address to download from', async () => {
    const { drive } = make();
    const url = new URL(
      await drive.getDownloadUrl(
        toLocalPath({
          workspace: 'team/iris',
          commit: COMMIT_A,
          path: 'sub/a b#c.txt'
        })
      )
    );
    expect(url.pathname).toBe(
      `/lab-base/dotscience/${files}/sub/a%20b%23c.txt`
    );
    expect(url.searchParams.get('path')).toBe('team/iris');
  });
});
