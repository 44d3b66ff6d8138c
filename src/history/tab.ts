// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { MainAreaWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { UUID } from '@lumino/coreutils';

import { CommandIDs } from '../commands';
import { WORKSPACE } from '../follow';
import { setLink } from '../links/tabs';
import type { HistoryClient } from './client';
import { HistoryModel } from './model';
import type { IHistoryActions } from './view';
import { HistoryWidget } from './widget';

/**
 * Make the tab of a file's versions and have it read them.
 */
export function createHistoryTab(options: {
  client: HistoryClient;
  commands: CommandRegistry;
  workspace: string;
  file: string;
  contentsPath: string;
  trans: TranslationBundle;
}): MainAreaWidget<HistoryWidget> {
  const { commands, workspace, file, contentsPath, trans } = options;
  const execute = (id: string, args: ReadonlyPartialJSONObject): void => {
    void commands.execute(id, { workspace, ...args });
  };
  const actions: IHistoryActions = {
    open: ({ commit, path }) =>
      execute(CommandIDs.openFileAtCommit, { commit, path }),
    compare: (older, newer) =>
      execute(CommandIDs.openDifference, {
        old: older.commit,
        new: newer?.commit ?? 'now',
        file: newer?.path ?? file
      }),
    scratchCopy: ({ commit, path }) =>
      execute(CommandIDs.scratchCopy, { commit, path }),
    bringBack: ({ commit, path }) =>
      execute(CommandIDs.bringBack, { commit, path, to: contentsPath }),
    browse: ({ commit }) => execute(CommandIDs.browseCommit, { commit }),
    openRun: run => execute(CommandIDs.openRun, { run }),
    copyLink: () =>
      execute(CommandIDs.copyLink, { view: 'history', path: contentsPath })
  };
  const model = new HistoryModel(options);
  const content = new HistoryWidget({ model, actions, trans });
  const tab = new MainAreaWidget({ content });
  tab.id = `dotscience-history-${UUID.uuid4()}`;
  tab.addClass('jp-DotscienceMain');
  tab.node.dataset[WORKSPACE] = workspace;
  tab.title.closable = true;
  setLink(tab, () => ({ view: 'history', parts: { path: contentsPath } }));
  tab.toolbar.hide();
  void model.load();
  return tab;
}
