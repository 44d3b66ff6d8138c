// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';

/**
 * What is told, to people and programs, of an argument of a command.
 */
export type Argument = {
  /** What kind of value it takes, as in a JSON schema. */
  readonly type: string;

  /** What it means. */
  readonly description: string;
};

/** The argument that says which workspace a command is about. */
export function workspaceArgument(trans: TranslationBundle): Argument {
  return {
    type: 'string',
    description: trans.__(
      'A contents path in the workspace; without it the workspace at hand.'
    )
  };
}

/** The argument that says which run a command is about. */
export function runArgument(trans: TranslationBundle): Argument {
  return {
    type: 'string',
    description: trans.__('The id of the run; without it the user is asked.')
  };
}
