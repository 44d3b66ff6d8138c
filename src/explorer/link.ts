// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { JSONExt, type ReadonlyPartialJSONValue } from '@lumino/coreutils';

import { addressOf, type ILink } from '../links/link';
import { FRESH, type IExplorerState } from './state';

/**
 * How long an address may become.
 *
 * #### Notes
 * Browsers take far more, but servers that stand before Jupyter often take 8,192 characters.
 */
const MAX_ADDRESS = 7000;

/** What is left out of an address that would become too long, one after the other. */
const DISPENSABLE: readonly (keyof IExplorerState)[] = [
  'selected',
  'widths',
  'charts',
  'columns',
  'directions'
];

/**
 * A link to the explorer as it is, and what does not fit into one.
 *
 * @param workspace - Contents path of the workspace
 * @param state - How the runs are shown
 */
export function explorerLink(
  workspace: string,
  state: IExplorerState
): { link: ILink; left: (keyof IExplorerState)[] } {
  const left: (keyof IExplorerState)[] = [];
  for (;;) {
    const link = linkWithout(workspace, state, left);
    const next = DISPENSABLE[left.length];
    if (addressOf(link).length <= MAX_ADDRESS || next === undefined) {
      return { link, left: left.filter(name => !isFresh(state, name)) };
    }
    left.push(next);
  }
}

function linkWithout(
  workspace: string,
  state: IExplorerState,
  left: readonly (keyof IExplorerState)[]
): ILink {
  const { where } = state;
  const names = (Object.keys(FRESH) as (keyof IExplorerState)[]).filter(
    name => name !== 'where' && !left.includes(name) && !isFresh(state, name)
  );
  const kept = Object.fromEntries(names.map(name => [name, state[name]]));
  return {
    view: 'explorer',
    // also where nothing was changed: who follows it may have changed something
    parts: { workspace, where, state: JSON.stringify(kept) }
  };
}

function isFresh(state: IExplorerState, name: keyof IExplorerState): boolean {
  return JSONExt.deepEqual(
    state[name] as ReadonlyPartialJSONValue,
    FRESH[name] as ReadonlyPartialJSONValue
  );
}
