// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IThemeManager } from '@jupyterlab/apputils';
import {
  Clipboard,
  Dialog,
  MainAreaWidget,
  Notification,
  showDialog,
  showErrorMessage
} from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { LiveRun } from '../api/schema';
import { CommandIDs } from '../commands';
import { WORKSPACE } from '../follow';
import { toError } from '../run/model';
import { runTitle } from '../run/format';
import type { IWorkspaceTracker } from '../tokens';
import { fileName, saveFile } from './charts/export';
import { ExplorerClient } from './client';
import { explorerLink } from './link';
import { ExplorerMenu } from './menu';
import { ExplorerModel } from './model';
import { ExplorerWidget } from './widget';

/** For how long good news is shown, in ms. */
const GOOD_NEWS = 5000;

/**
 * Make the explorer's tab and have it read the runs.
 */
export function createExplorerTab(options: {
  tracker: IWorkspaceTracker;
  commands: JupyterFrontEnd['commands'];
  /** Contents path of the workspace's root. */
  workspace: string;
  /** How the runs were shown before. */
  state: unknown;
  language: string;
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
}): MainAreaWidget<ExplorerWidget> {
  const { tracker, commands, workspace, trans } = options;
  const client = new ExplorerClient(tracker.client.serverSettings, workspace);
  const model = new ExplorerModel({ client, state: options.state });
  const menu = new ExplorerMenu(commands, model, () => content.focus());
  const name = PathExt.basename(workspace);

  const actions: ExplorerWidget.IActions = {
    onOpen: run => {
      void commands.execute(CommandIDs.openRun, { run, workspace });
    },
    onCompare: (a, b) => {
      void commands.execute(CommandIDs.compareRuns, { a, b, workspace });
    },
    onCsv: () => {
      client.csv(model.query).then(
        file => saveFile(file, fileName(name || 'runs', 'csv')),
        reason =>
          void showErrorMessage(
            trans.__('The table could not be saved'),
            toError(reason)
          )
      );
    },
    onLink: () => {
      Clipboard.copyToSystem(explorerLink(workspace, model.state.where));
      Notification.info(trans.__('The link is copied.'), {
        autoClose: GOOD_NEWS
      });
    },
    onAbandon: run => {
      void abandon(model, run, trans);
    },
    onMenu: (run, x, y) => menu.open(run, x, y)
  };

  let isStale = false;
  const content = new ExplorerWidget({
    model,
    name,
    actions,
    language: options.language,
    themeManager: options.themeManager,
    trans,
    onShow: () => {
      if (isStale) {
        isStale = false;
        model.onRunsChanged();
      }
    }
  });
  const tab = new MainAreaWidget({ content });
  // The tab calls each content the same.
  content.node.setAttribute('aria-label', content.title.label);
  tab.id = `dotscience-explorer-${workspace}`;
  tab.addClass('jp-DotscienceMain');
  tab.node.dataset[WORKSPACE] = workspace;
  tab.title.closable = true;
  // What there is to do stands beside the filter.
  tab.toolbar.hide();

  const isOurs = (): boolean => tracker.workspace?.path === workspace;
  const onRuns = (): void => {
    if (content.isVisible && isOurs()) {
      model.onRunsChanged();
    } else {
      isStale = true;
    }
  };
  let wasOurs = isOurs();
  const onWorkspace = (): void => {
    // While another workspace was at hand nobody told of this one's runs.
    if (isOurs() && !wasOurs) {
      onRuns();
    }
    wasOurs = isOurs();
  };
  const onLive = (): void => {
    if (isOurs()) {
      void model.loadLive();
    }
  };
  tracker.runsChanged.connect(onRuns);
  tracker.workspaceChanged.connect(onWorkspace);
  tracker.liveChanged.connect(onLive);
  tab.disposed.connect(() => {
    tracker.runsChanged.disconnect(onRuns);
    tracker.workspaceChanged.disconnect(onWorkspace);
    tracker.liveChanged.disconnect(onLive);
    menu.dispose();
  });
  void model.load();
  return tab;
}

async function abandon(
  model: ExplorerModel,
  run: LiveRun,
  trans: TranslationBundle
): Promise<void> {
  const answer = await showDialog({
    title: trans.__('Mark as Abandoned'),
    body: trans.__(
      'Record “%1” as failed? Its process has ended without publishing it. What it recorded so far is kept.',
      runTitle(run, trans)
    ),
    buttons: [
      Dialog.cancelButton(),
      Dialog.warnButton({ label: trans.__('Mark as Abandoned') })
    ]
  });
  if (!answer.button.accept) {
    return;
  }
  try {
    const message = await model.abandon(run.id);
    Notification.success(message, { autoClose: GOOD_NEWS });
  } catch (reason) {
    await showErrorMessage(trans.__('The run was not marked'), toError(reason));
  }
}
