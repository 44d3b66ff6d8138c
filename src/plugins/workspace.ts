// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { ApiClient } from '../api/client';
import { FolderFollower } from '../follow';
import { WorkspaceTracker } from '../model';
import { IWorkspaceTracker, TRANSLATION_DOMAIN } from '../tokens';
import { addWorkspaceCommands } from '../workspacecommands';

/**
 * Provides the workspace at hand, and the commands that act on it.
 */
const plugin: JupyterFrontEndPlugin<IWorkspaceTracker> = {
  id: 'dotscience-jupyter:workspace',
  description:
    'Provides the tracked folder at hand, its state, and the commands that act on it.',
  autoStart: true,
  provides: IWorkspaceTracker,
  optional: [
    IDocumentManager,
    IDefaultFileBrowser,
    ICommandPalette,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    documents: IDocumentManager | null,
    browser: IDefaultFileBrowser | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ): IWorkspaceTracker => {
    const { serviceManager, shell } = app;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const tracker = new WorkspaceTracker({
      client: new ApiClient(serviceManager.serverSettings),
      events: serviceManager.events
    });
    const follower = new FolderFollower({
      shell,
      documents,
      browser,
      contents: serviceManager.contents,
      onFolder: path => tracker.setPath(path)
    });
    void follower.start(app.restored);
    serviceManager.connectionFailure.connect(tracker.checkConnection, tracker);
    addWorkspaceCommands(app, { documents, palette, tracker, trans });
    return tracker;
  }
};

export default plugin;
