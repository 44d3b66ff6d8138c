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
import { addressOf } from '../links/link';
import { setLink } from '../links/tabs';
import { asApiError } from '../request';
import { runTitle } from '../run/format';
import type { IWorkspaceEvent, IWorkspaceTracker } from '../tokens';
import { fileName, saveFile } from './charts/export';
import { ExplorerClient } from './client';
import { explorerLink } from './link';
import { ExplorerMenu } from './menu';
import { ExplorerModel } from './model';
import { parseState, type IExplorerState } from './state';
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
  const stateNow = (): IExplorerState => parseState(model.toJSON());

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
            asApiError(reason)
          )
      );
    },
    onLink: () => {
      const { link, left } = explorerLink(workspace, stateNow());
      Clipboard.copyToSystem(addressOf(link));
      Notification.info(copiedText(left, trans), { autoClose: GOOD_NEWS });
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
  setLink(tab, () => explorerLink(workspace, stateNow()).link);

  const isOurs = (): boolean => tracker.workspace?.path === workspace;
  const onNews = (): void => {
    if (content.isVisible) {
      model.onRunsChanged();
    } else {
      isStale = true;
    }
  };
  const onRuns = (): void => {
    if (isOurs()) {
      onNews();
    } else {
      isStale = true;
    }
  };
  let wasOurs = isOurs();
  const onWorkspace = (): void => {
    // What a server that was out of reach meanwhile did not tell is asked for.
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
  const onElsewhere = (_: IWorkspaceTracker, event: IWorkspaceEvent): void => {
    if (event.workspace === workspace) {
      if (event.action === 'committed') {
        onNews();
      } else if (event.action === 'live') {
        void model.loadLive();
      }
    }
  };
  tracker.elsewhereChanged.connect(onElsewhere);
  tracker.runsChanged.connect(onRuns);
  tracker.workspaceChanged.connect(onWorkspace);
  tracker.liveChanged.connect(onLive);
  tab.disposed.connect(() => {
    tracker.elsewhereChanged.disconnect(onElsewhere);
    tracker.runsChanged.disconnect(onRuns);
    tracker.workspaceChanged.disconnect(onWorkspace);
    tracker.liveChanged.disconnect(onLive);
    menu.dispose();
  });
  void model.load();
  return tab;
}

/** That a link is copied, and what it does not tell. */
function copiedText(
  left: readonly (keyof IExplorerState)[],
  trans: TranslationBundle
): string {
  if (left.length === 0) {
    return trans.__('The link is copied.');
  }
  return left.length === 1 && left[0] === 'selected'
    ? trans.__(
        'The link is copied, without the selected runs: they are too many for an address.'
      )
    : trans.__(
        'The link is copied. It leaves out the selected runs and some of how they are shown, which are too much for an address.'
      );
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
    await showErrorMessage(
      trans.__('The run was not marked'),
      asApiError(reason)
    );
  }
}
