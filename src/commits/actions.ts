// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyJSONObject } from '@lumino/coreutils';

import type { Commit } from '../api/schema';
import { CommandIDs } from '../commands';

/**
 * A command with its arguments.
 */
export interface IAction {
  /** The command. */
  command: string;

  /** Its arguments. */
  args: ReadonlyJSONObject;
}

/**
 * What can be done with a commit.
 *
 * @param commands - The application's commands; those that are missing are left out
 * @param workspace - Contents path of the workspace
 */
export function commitActions(
  commands: CommandRegistry,
  commit: Commit,
  workspace: string
): IAction[] {
  const args = { commit: commit.id, workspace, isMenu: true };
  const actions: IAction[] = [{ command: CommandIDs.browseCommit, args }];
  if (commit.parents.length > 0) {
    actions.push({ command: CommandIDs.compareWithPrevious, args });
  }
  actions.push(
    {
      command: CommandIDs.openDifference,
      args: { old: commit.id, new: 'now', workspace, isMenu: true }
    },
    {
      command: CommandIDs.openMerge,
      args: { theirs: commit.id, workspace }
    },
    { command: CommandIDs.restoreCommit, args },
    {
      command: CommandIDs.copyLink,
      args: { view: 'commit', workspace, commit: commit.id }
    }
  );
  return actions.filter(({ command }) => commands.hasCommand(command));
}
