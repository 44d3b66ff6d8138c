// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IThemeManager } from '@jupyterlab/apputils';
import { CommandToolbarButton, MainAreaWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type {
  ReadonlyJSONObject,
  ReadonlyPartialJSONObject
} from '@lumino/coreutils';

import type { ApiClient } from '../api/client';
import { CommandIDs } from '../commands';
import { WORKSPACE } from '../follow';
import { setLink } from '../links/tabs';
import { RunModel } from './model';
import type { IRunActions } from './view';
import { RunWidget } from './widget';

/**
 * Make the tab of a run and have it read the run.
 */
export function createRunTab(options: {
  client: ApiClient;
  commands: JupyterFrontEnd['commands'];
  run: string;
  workspace: string;
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
}): MainAreaWidget<RunWidget> {
  const { client, commands, run, workspace, themeManager, trans } = options;
  const execute = (id: string, args: ReadonlyPartialJSONObject): void => {
    void commands.execute(id, { workspace, ...args });
  };
  const actions: IRunActions = {
    openRun: id => execute(CommandIDs.openRun, { run: id }),
    openFile: (commit, path) =>
      execute(CommandIDs.openFileAtCommit, { commit, path }),
    openWorkload: id => execute(CommandIDs.openNotebookAtRun, { run: id }),
    openProvenance: (start, direction) =>
      execute(CommandIDs.openProvenance, { start, direction })
  };
  const model = new RunModel({ client, run, workspace });
  const content = new RunWidget({ model, actions, themeManager, trans });
  const tab = new MainAreaWidget({ content });
  tab.id = `dotscience-run-${run}`;
  tab.addClass('jp-DotscienceMain');
  tab.node.dataset[WORKSPACE] = workspace;
  tab.title.closable = true;
  setLink(tab, () => ({ view: 'run', parts: { run, workspace } }));
  tab.toolbar.node.setAttribute('aria-label', trans.__('Run actions'));
  // what does not fit is behind a button at the end, so what is used most comes first
  const buttons: { id: string; label: string; args: ReadonlyJSONObject }[] = [
    {
      id: CommandIDs.openNotebookAtRun,
      label: trans.__('Open as of This Run'),
      args: { run, workspace }
    },
    {
      id: CommandIDs.browseCommit,
      label: trans.__('All Files'),
      args: { run, workspace }
    },
    {
      id: CommandIDs.compareRuns,
      label: trans.__('Compare with…'),
      args: { a: run, workspace }
    },
    {
      id: CommandIDs.goBack,
      label: trans.__('Go Back to This Run…'),
      args: { run, workspace }
    },
    {
      id: CommandIDs.openProvenance,
      label: trans.__('Provenance'),
      args: { start: `run:${run}`, workspace }
    },
    {
      id: CommandIDs.restoreRun,
      label: trans.__('Restore to a New Folder…'),
      args: { run, workspace }
    },
    {
      id: CommandIDs.copyRunId,
      label: trans.__('Copy Id'),
      args: { run }
    },
    {
      id: CommandIDs.copyRunLink,
      label: trans.__('Copy Link'),
      args: { run, workspace }
    }
  ];
  for (const { id, label, args } of buttons) {
    tab.toolbar.addItem(
      id.replace(':', '-'),
      new CommandToolbarButton({ commands, id, label, args })
    );
  }
  void model.load();
  return tab;
}
