// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IThemeManager } from '@jupyterlab/apputils';
import { MainAreaWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { UUID } from '@lumino/coreutils';

import type { ApiClient } from '../api/client';
import { CommandIDs } from '../commands';
import { WORKSPACE } from '../follow';
import type { ILink } from '../links/link';
import { setLink } from '../links/tabs';
import { CompareModel } from './model';
import type { ICompareActions } from './view';
import { CompareWidget } from './widget';

/**
 * Make the tab of a comparison and have it read both runs.
 */
export function createCompareTab(options: {
  client: ApiClient;
  commands: JupyterFrontEnd['commands'];
  a: string;
  b: string;
  workspace: string;
  choose: ICompareActions['chooseRun'];
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
}): MainAreaWidget<CompareWidget> {
  const { client, commands, a, b, workspace, themeManager, trans } = options;
  const actions: ICompareActions = {
    openRun: run => {
      void commands.execute(CommandIDs.openRun, { run, workspace });
    },
    openFile: (commit, path) => {
      void commands.execute(CommandIDs.openFileAtCommit, {
        commit,
        path,
        workspace
      });
    },
    openDifference: (old, newer, file) => {
      void commands.execute(CommandIDs.openDifference, {
        old,
        new: newer,
        file,
        workspace
      });
    },
    chooseRun: options.choose,
    copyLink: () => {
      const { view, parts } = link();
      void commands.execute(CommandIDs.copyLink, { view, ...parts });
    }
  };
  const link = (): ILink => ({
    view: 'compare',
    parts: { workspace, a: model.a.run, b: model.b.run }
  });
  const model = new CompareModel({ client, workspace, a, b });
  const content = new CompareWidget({ model, actions, themeManager, trans });
  const tab = new MainAreaWidget({ content });
  tab.id = `dotscience-compare-${UUID.uuid4()}`;
  tab.addClass('jp-DotscienceMain');
  tab.node.dataset[WORKSPACE] = workspace;
  tab.title.closable = true;
  setLink(tab, link);
  void model.load();
  return tab;
}
