// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ApiClient } from '../api/client';
import type { Commit } from '../api/schema';
import { firstLine, shortId } from '../run/format';
import { folderModel } from './models';
import type { IRange } from './paths';
import {
  encodeWorkspace,
  localMinute,
  rangeSegment,
  toLocalPath
} from './paths';

/**
 * How many commits of a workspace are listed at once; older ones are in folders of so many.
 */
export const MAX_COMMITS = 200;

/**
 * How much of a commit's message its folder's name has.
 */
const MAX_MESSAGE = 80;

/**
 * The drive's root: a folder for each workspace.
 */
export function workspacesModel(
  workspaces: readonly string[],
  trans: TranslationBundle
): Contents.IModel {
  const content = workspaces.map(path =>
    folderModel(
      encodeWorkspace(path),
      null,
      undefined,
      path || trans.__('The top folder of this server')
    )
  );
  return folderModel('', content);
}

/**
 * A workspace's folder: its newest commits, and folders that list the older ones.
 *
 * #### Notes
 * They are counted from the first commit on, so that a folder goes on to hold the same ones.
 */
export async function newestCommits(
  client: Pick<ApiClient, 'commits'>,
  workspace: string,
  trans: TranslationBundle
): Promise<Contents.IModel> {
  const segment = encodeWorkspace(workspace);
  const { items, total } = await client.commits(workspace, {
    limit: MAX_COMMITS
  });
  const content = items.map(commit => commitModel(workspace, commit));
  for (let last = total - items.length; last > 0;) {
    const first = last - ((last - 1) % MAX_COMMITS);
    content.push(
      folderModel(
        `${segment}/${rangeSegment({ first, last })}`,
        null,
        undefined,
        trans.__('Commits %1 to %2', first, last)
      )
    );
    last = first - 1;
  }
  return folderModel(segment, content);
}

/**
 * A folder of a workspace's older commits.
 */
export async function olderCommits(
  client: Pick<ApiClient, 'commits'>,
  workspace: string,
  range: IRange
): Promise<Contents.IModel> {
  const { total } = await client.commits(workspace, { limit: 1 });
  const { items } = await client.commits(workspace, {
    offset: Math.max(0, total - range.last),
    limit: Math.min(MAX_COMMITS, range.last - range.first + 1)
  });
  return folderModel(
    `${encodeWorkspace(workspace)}/${rangeSegment(range)}`,
    items.map(commit => commitModel(workspace, commit))
  );
}

/**
 * The folder of a commit, named with its moment.
 */
function commitModel(workspace: string, commit: Commit): Contents.IModel {
  const { id, created } = commit;
  const message = firstLine(commit.message).slice(0, MAX_MESSAGE);
  return folderModel(
    toLocalPath({ workspace, commit: id, path: '' }, created),
    null,
    created,
    `${localMinute(created)} ${shortId(id)} ${message}`.trimEnd()
  );
}
