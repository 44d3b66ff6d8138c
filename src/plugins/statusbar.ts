// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { WorkspaceStatusItem } from '../panel/statusitem';
import { IWorkspaceTracker, TRANSLATION_DOMAIN } from '../tokens';

/**
 * Shows the committer's state in the status bar.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:statusbar',
  description: "Shows the committer's state in the status bar.",
  autoStart: true,
  requires: [IWorkspaceTracker],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    tracker: IWorkspaceTracker,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    if (!statusBar) {
      return;
    }
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    new WorkspaceStatusItem(tracker, app.commands, trans).addTo(
      statusBar,
      'dotscience-jupyter:statusbar',
      100
    );
  }
};

export default plugin;
