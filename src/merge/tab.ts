// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import {
  Dialog,
  MainAreaWidget,
  Notification,
  showDialog
} from '@jupyterlab/apputils';
import type { IEditorServices } from '@jupyterlab/codeeditor';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Event } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { UUID } from '@lumino/coreutils';

import type { MergeResult, Workspace } from '../api/schema';
import { CommandIDs } from '../commands';
import { NOW, contentsPath } from '../difference/reader';
import { openDocuments } from '../documents';
import { WORKSPACE, serverPath } from '../follow';
import { withProgress } from '../progress';
import type { IWorkspaceEvent, IWorkspaceTracker } from '../tokens';
import { EVENT_SCHEMA } from '../tokens';
import { MergeClient } from './client';
import { namesOf, showWritten } from './documents';
import { MergeModel } from './model';
import type { IMergeActions } from './view';
import { MergeWidget } from './widget';

/**
 * Make the tab of a workspace's merge and have it read the merge that is under way.
 */
export function createMergeTab(options: {
  app: JupyterFrontEnd;
  tracker: IWorkspaceTracker;
  documents: IDocumentManager | null;
  services: IEditorServices;
  workspace: Pick<Workspace, 'path' | 'prefix'>;
  trans: TranslationBundle;
}): MainAreaWidget<MergeWidget> {
  const { app, tracker, documents, services, workspace, trans } = options;
  const { commands, serviceManager, shell } = app;
  const root = workspace.path;
  const { serverSettings } = tracker.client;
  const model = new MergeModel(new MergeClient(serverSettings, root));
  const execute = (id: string, args: ReadonlyPartialJSONObject): void => {
    void commands.execute(id, args);
  };

  const openOf = (files: readonly string[]): DocumentRegistry.Context[] => {
    const { contents } = serviceManager;
    const paths = new Set(files.map(file => contentsPath(workspace, file)));
    return documents
      ? openDocuments(shell, documents, contents, root).filter(context =>
          paths.has(serverPath(contents, context.path))
        )
      : [];
  };

  const finish = async (description: string): Promise<void> => {
    const result = await withProgress(
      trans.__('Merging…'),
      model.finish(description)
    );
    if (!result) {
      return;
    }
    Notification.success(result.message, { autoClose: 10000 });
    await showResult(result);
    await tracker.refresh();
  };

  const showResult = async (result: MergeResult): Promise<void> => {
    const left = await showWritten(openOf(result.written));
    if (left.length > 0) {
      Notification.warning(
        trans.__(
          'Not saved, and therefore left as typed: %1. Reload it to see the merged file.',
          namesOf(left, trans)
        ),
        { autoClose: false }
      );
    }
  };

  const abort = async (): Promise<void> => {
    const answer = await showDialog({
      title: trans.__('Give the merge up?'),
      body: trans.__(
        'What you chose and edited in this merge is lost. The files of the workspace stay as they are.'
      ),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Go On Merging') }),
        Dialog.warnButton({ label: trans.__('Give Up') })
      ],
      defaultButton: 0
    });
    if (!answer.button.accept) {
      return;
    }
    const result = await model.abort();
    if (result) {
      Notification.info(result.message, { autoClose: 5000 });
      await showResult(result);
    }
  };

  const actions: IMergeActions = {
    begin: () => execute(CommandIDs.openMerge, { workspace: root }),
    finish: description => {
      void finish(description);
    },
    abort: () => {
      void abort();
    },
    openFile: (ref, path) => {
      const now = contentsPath(workspace, path);
      if (ref !== NOW) {
        execute(CommandIDs.openFileAtCommit, {
          commit: ref,
          path,
          workspace: root
        });
      } else if (now !== null) {
        execute('docmanager:open', { path: now });
      }
    },
    compare: (yours, theirs, file) =>
      execute(CommandIDs.openDifference, {
        old: yours,
        new: theirs,
        file,
        workspace: root
      })
  };

  const content = new MergeWidget({ model, actions, services, trans });
  const tab = new MainAreaWidget({ content });
  tab.id = `dotscience-merge-${UUID.uuid4()}`;
  tab.addClass('jp-DotscienceMain');
  tab.node.dataset[WORKSPACE] = root;
  tab.title.closable = true;
  tab.toolbar.hide();

  // the command line may go on with the merge, and files may change below it
  const onEvent = (_: Event.IManager, emission: Event.Emission): void => {
    const event = emission as unknown as IWorkspaceEvent;
    if (
      emission.schema_id === EVENT_SCHEMA &&
      event.workspace === root &&
      event.action !== 'committing' &&
      !model.isBusy
    ) {
      void model.load();
    }
  };
  const { stream } = serviceManager.events;
  stream.connect(onEvent, tab);
  tab.disposed.connect(() => {
    stream.disconnect(onEvent, tab);
  });
  void model.load();
  return tab;
}
