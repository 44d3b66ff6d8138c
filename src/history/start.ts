// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { TranslationBundle } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { openDocuments } from '../documents';
import { toDrivePath } from '../drive/paths';
import { serverPath } from '../follow';
import { toContentsPath } from '../provenance/paths';
import type { IWorkspaceTracker } from '../tokens';
import { bringBack } from './bringback';
import { HistoryClient } from './client';
import { placeOf } from './place';
import { ask } from './question';

/**
 * Bring a file of a commit back in the application: show the difference, ask, and do it.
 *
 * @param options.workspace - A contents path in the workspace
 * @param options.path - The file's path in the commit
 * @param options.to - Contents path of the file whose place it takes; null for where it was
 * @returns Whether it was done
 */
export async function startBringingBack(options: {
  app: JupyterFrontEnd;
  workspaces: IWorkspaceTracker;
  documents: IDocumentManager | null;
  workspace: string;
  commit: string;
  path: string;
  to: string | null;
  trans: TranslationBundle;
}): Promise<boolean> {
  const { app, commit, documents, path, trans, workspaces } = options;
  const { commands, shell } = app;
  const { contents } = app.serviceManager;
  const { client } = workspaces;
  const { workspace } = await client.workspace(options.workspace);
  if (!workspace) {
    throw new Error(trans.__('The folder is not tracked.'));
  }
  const contentsPath = options.to ?? toContentsPath(workspace, path);
  const place =
    contentsPath === null
      ? null
      : await placeOf(contentsPath, contents, workspaces);
  if (!place || place.workspace.path !== workspace.path) {
    throw new Error(trans.__('This server does not serve that file.'));
  }
  const done = await bringBack({
    client,
    history: new HistoryClient(client.serverSettings),
    workspace: workspace.path,
    commit,
    path,
    file: place.file,
    contentsPath: place.contentsPath,
    documents: () =>
      documents
        ? openDocuments(shell, documents, contents, workspace.path).filter(
            context => serverPath(contents, context.path) === contentsPath
          )
        : [],
    modified: async () => {
      try {
        const file = await contents.get(place.contentsPath, { content: false });
        return file.last_modified;
      } catch {
        return null;
      }
    },
    read: () =>
      contents.get(
        toDrivePath({ workspace: workspace.path, commit, path }),
        path.endsWith('.ipynb') ? { type: 'notebook' } : {}
      ),
    confirm: async question => {
      const before = shell.currentWidget;
      if (commands.hasCommand(CommandIDs.openDifference)) {
        await commands.execute(CommandIDs.openDifference, {
          old: commit,
          new: 'now',
          file: place.file,
          workspace: workspace.path
        });
      }
      const tab = shell.currentWidget;
      return ask(question, tab === before ? null : tab, trans);
    },
    trans
  });
  if (done) {
    await workspaces.refresh();
  }
  return done;
}
