// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { PageConfig } from '@jupyterlab/coreutils';

const RUN = 'dotscience-run';
const WORKSPACE = 'dotscience-workspace';
const VIEW = 'dotscience-view';
const WHERE = 'dotscience-where';

/** How long a condition in a link may be; the server takes no longer one. */
const MAX_WHERE = 4000;

/** What a link asks for. */
export interface ILink {
  /** The id of a run whose tab is to be opened, or its beginning. */
  readonly run?: string;

  /** Whether the explorer is to be opened. */
  readonly isExplorer: boolean;

  /** The condition that its runs are to fulfil. */
  readonly where?: string;

  /** A contents path in the workspace. */
  readonly workspace?: string;
}

/**
 * Read what the query of an address asks for; null when that is nothing of ours.
 *
 * @param query - As in `location.search`
 */
export function readLink(query: string): ILink | null {
  const given = new URLSearchParams(query);
  const run = given.get(RUN) ?? '';
  const isExplorer = given.get(VIEW) === 'explorer';
  const isRun = /^[\w-]{4,100}$/.test(run);
  if (!isRun && !isExplorer) {
    return null;
  }
  return {
    isExplorer,
    ...(isRun && { run }),
    ...(given.has(WHERE) && {
      where: (given.get(WHERE) ?? '').slice(0, MAX_WHERE)
    }),
    ...(given.has(WORKSPACE) && { workspace: given.get(WORKSPACE) ?? '' })
  };
}

/**
 * An address without what is ours in its query.
 *
 * @param address - A whole address
 */
export function withoutLink(address: string): string {
  const url = new URL(address);
  for (const name of [RUN, WORKSPACE, VIEW, WHERE]) {
    url.searchParams.delete(name);
  }
  return url.href;
}

/**
 * The address that opens a run in JupyterLab, with the file that is open now.
 *
 * @param run - The run's id
 * @param workspace - Contents path of its workspace
 */
export function runLink(run: string, workspace: string): string {
  return link([
    [RUN, run],
    [WORKSPACE, workspace]
  ]);
}

/**
 * The address that opens the explorer in JupyterLab.
 *
 * @param workspace - Contents path of the workspace
 * @param where - The condition
 */
export function explorerLink(workspace: string, where: string): string {
  return link([
    [VIEW, 'explorer'],
    [WORKSPACE, workspace],
    ...(where ? [[WHERE, where] as const] : [])
  ]);
}

function link(query: (readonly [string, string])[]): string {
  const url = new URL(
    PageConfig.getUrl({
      workspace: PageConfig.defaultWorkspace,
      toShare: true
    }),
    window.location.href
  );
  for (const [name, value] of query) {
    url.searchParams.set(name, value);
  }
  return url.href;
}
