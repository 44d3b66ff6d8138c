// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { PageConfig } from '@jupyterlab/coreutils';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { CommandIDs } from '../commands';

/** What the names of our part of an address begin with. */
const PREFIX = 'dotscience-';

/** How long a part of an address may be; the server takes no longer condition. */
const MAX_PART = 4000;

/** How long the kept state of a view in an address may be. */
const MAX_STATE = 20_000;

/** Something that has a view of its own. */
export type View =
  | 'run'
  | 'explorer'
  | 'provenance'
  | 'history'
  | 'compare'
  | 'lineages'
  | 'difference'
  | 'merge'
  | 'file'
  | 'commit'
  | 'commits';

/** A view, and what it shows, by the names of the parts of an address without our prefix. */
export interface ILink {
  readonly view: View;
  readonly parts: Readonly<Record<string, string>>;
}

/** A command and its arguments. */
export interface ICall {
  readonly command: string;
  readonly args: ReadonlyPartialJSONObject;
}

interface IKind {
  /** The command that opens the view. */
  readonly command: string;

  /** The parts that an address has. */
  readonly parts: readonly string[];

  /** Those without which it means nothing. */
  readonly needs?: readonly string[];

  /** What the command takes, where that is not the parts by their names. */
  readonly args?: (
    parts: Readonly<Record<string, string>>
  ) => ReadonlyPartialJSONObject;
}

/**
 * What a part must be where it is not any text.
 *
 * #### Notes
 * An address comes from anywhere. Ids become parts of addresses of the server, so they must be ids.
 */
const FORMS: Readonly<Record<string, RegExp>> = {
  run: /^[\w-]{4,100}$/,
  commit: /^[0-9a-f]{4,64}$/,
  direction: /^(up|down|both)$/,
  depth: /^\d{1,3}$/,
  as: /^(graph|list)$/
};

const KINDS: Readonly<Record<View, IKind>> = {
  run: {
    command: CommandIDs.openRun,
    parts: ['run', 'workspace'],
    needs: ['run']
  },
  explorer: {
    command: CommandIDs.openExplorer,
    parts: ['where', 'run', 'state', 'workspace'],
    args: ({ state, ...parts }) => {
      const kept = parseState(state);
      return kept ? { ...parts, state: kept } : parts;
    }
  },
  provenance: {
    command: CommandIDs.openProvenance,
    parts: ['start', 'direction', 'depth', 'as', 'workspace'],
    args: ({ as, depth, ...parts }) => ({
      ...parts,
      ...(depth !== undefined && { depth: Number(depth) }),
      ...(as !== undefined && { view: as })
    })
  },
  history: {
    command: CommandIDs.openHistory,
    parts: ['path'],
    needs: ['path'],
    args: ({ path }) => ({ file: path })
  },
  compare: {
    command: CommandIDs.compareRuns,
    parts: ['a', 'b', 'workspace'],
    needs: ['a', 'b']
  },
  lineages: {
    command: CommandIDs.compareLineages,
    parts: ['a', 'b', 'workspace'],
    needs: ['a', 'b']
  },
  difference: {
    command: CommandIDs.openDifference,
    parts: ['old', 'new', 'file', 'workspace'],
    args: parts => ({
      ...parts,
      // the user is asked without them, which nobody who follows a link expects
      old: parts.old || 'HEAD',
      new: parts.new || 'now'
    })
  },
  merge: {
    command: CommandIDs.openMerge,
    parts: ['workspace'],
    // an address shows things; it never begins one that writes
    args: parts => ({ ...parts, ask: false })
  },
  file: {
    command: CommandIDs.openFileAtCommit,
    parts: ['commit', 'file', 'workspace'],
    needs: ['commit', 'file'],
    args: ({ file, ...parts }) => ({ ...parts, path: file })
  },
  commit: {
    command: CommandIDs.browseCommit,
    parts: ['commit', 'workspace'],
    needs: ['commit']
  },
  commits: { command: CommandIDs.openCommits, parts: ['commit', 'workspace'] }
};

/** Whether there is a view of a name. */
export function isView(name: unknown): name is View {
  return (
    typeof name === 'string' &&
    Object.prototype.hasOwnProperty.call(KINDS, name)
  );
}

/**
 * Read what the query of an address asks for; null when that is nothing of ours, or makes no sense.
 *
 * @param query - As in `location.search`
 */
export function readLink(query: string): ILink | null {
  const given = new URLSearchParams(query);
  // an address with nothing but the id of a run means the run
  const view =
    given.get(`${PREFIX}view`) ?? (given.has(`${PREFIX}run`) ? 'run' : null);
  if (!isView(view)) {
    return null;
  }
  const kind = KINDS[view];
  const parts: Record<string, string> = {};
  for (const name of kind.parts) {
    const text = given.get(PREFIX + name);
    if (text === null || !fits(view, name, text)) {
      continue;
    }
    parts[name] = text;
  }
  const isWhole = (kind.needs ?? []).every(name => parts[name]);
  return isWhole ? { view, parts } : null;
}

/** The command that opens what a link asks for. */
export function callOf({ view, parts }: ILink): ICall {
  const { command, args } = KINDS[view];
  return { command, args: args ? args(parts) : { ...parts } };
}

/**
 * An address without what is ours in its query.
 *
 * @param address - A whole address
 */
export function withoutLink(address: string): string {
  const url = new URL(address);
  for (const name of [...url.searchParams.keys()]) {
    if (name.startsWith(PREFIX)) {
      url.searchParams.delete(name);
    }
  }
  return url.href;
}

/**
 * The address that opens a view in JupyterLab, with the file that is open now.
 *
 * @param link - The view; parts that it does not have, and empty ones but the workspace, are left out
 */
export function addressOf({ view, parts }: ILink): string {
  const url = new URL(
    PageConfig.getUrl({
      workspace: PageConfig.defaultWorkspace,
      toShare: true
    }),
    window.location.href
  );
  if (view !== 'run') {
    url.searchParams.set(`${PREFIX}view`, view);
  }
  for (const name of KINDS[view].parts) {
    const text = parts[name];
    // the root of the server has no name, and is a workspace like others
    if (text || (text === '' && name === 'workspace')) {
      url.searchParams.set(PREFIX + name, text);
    }
  }
  return url.href;
}

function fits(view: View, name: string, text: string): boolean {
  const form = view === 'compare' && name !== 'workspace' ? 'run' : name;
  return (
    text.length <= (name === 'state' ? MAX_STATE : MAX_PART) &&
    (FORMS[form]?.test(text) ?? true)
  );
}

function parseState(
  text: string | undefined
): ReadonlyPartialJSONObject | null {
  try {
    const value: unknown = JSON.parse(text ?? 'null');
    return typeof value === 'object' && !Array.isArray(value)
      ? (value as ReadonlyPartialJSONObject | null)
      : null;
  } catch {
    return null;
  }
}
