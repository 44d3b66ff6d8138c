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
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { Contents, Event } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { UUID } from '@lumino/coreutils';

import type { Conflict, MergeResult, Workspace } from '../api/schema';
import { CommandIDs } from '../commands';
import { DifferenceClient } from '../difference/client';
import { NOW, contentsPath } from '../difference/reader';
import { isShared, openDocuments, saveDocuments } from '../documents';
import { toDrivePath } from '../drive/paths';
import { WORKSPACE, serverPath } from '../follow';
import { isInside } from '../model';
import { setLink } from '../links/tabs';
import { withProgress } from '../progress';
import { toFolderPath } from '../provenance/paths';
import { messageOf } from '../reason';
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
  rendermime: IRenderMimeRegistry | null;
  workspace: Pick<Workspace, 'path' | 'prefix'>;
  trans: TranslationBundle;
}): MainAreaWidget<MergeWidget> {
  const { app, tracker, documents, services, workspace, trans } = options;
  const { commands, serviceManager, shell } = app;
  const root = workspace.path;
  const { serverSettings } = tracker.client;
  const model = new MergeModel(new MergeClient(serverSettings, root));
  const differences = new DifferenceClient(serverSettings, root);
  const execute = (id: string, args: ReadonlyPartialJSONObject): void => {
    void commands.execute(id, args);
  };

  const { contents } = serviceManager;
  const openOf = (files: readonly string[]): DocumentRegistry.Context[] => {
    const paths = new Set(files.map(file => contentsPath(workspace, file)));
    return documents
      ? openDocuments(shell, documents, contents, root).filter(context =>
          paths.has(serverPath(contents, context.path))
        )
      : [];
  };

  // what others type at this moment is in the files, so that the server sees that they changed
  const saveShared = async (): Promise<boolean> => {
    const shared = documents
      ? openDocuments(shell, documents, contents, root).filter(isShared)
      : [];
    try {
      await saveDocuments(shared, trans);
      return true;
    } catch (reason) {
      Notification.error(
        trans.__('The merge was not finished: %1', messageOf(reason)),
        { autoClose: false }
      );
      return false;
    }
  };

  const readAs =
    (ref: string) =>
    async (
      context: DocumentRegistry.Context
    ): Promise<Contents.IModel | null> => {
      const path = serverPath(contents, context.path);
      const file = path === null ? null : toFolderPath(workspace, path);
      if (path === null || !file) {
        return null;
      }
      const source =
        ref === NOW
          ? path
          : toDrivePath({ workspace: root, commit: ref, path: file });
      return contents.get(source, { type: context.contentsModel?.type });
    };

  const finish = async (description: string): Promise<void> => {
    if (!(await saveShared())) {
      return;
    }
    const result = await withProgress(
      trans.__('Merging…'),
      model.finish(description)
    );
    if (!result) {
      return;
    }
    Notification.success(result.message, { autoClose: 10000 });
    await showResult(result.written, result.commit ?? NOW);
    await tracker.refresh();
  };

  const showResult = async (
    written: MergeResult['written'],
    ref: string
  ): Promise<void> => {
    const left = await showWritten(openOf(written), readAs(ref));
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

  const decide = async (
    file: string,
    choice: Conflict['choice'],
    isEdited: boolean
  ): Promise<void> => {
    if (isEdited) {
      const answer = await showDialog({
        title: trans.__('Write %1 anew?', PathExt.basename(file)),
        body: trans.__(
          'The file is written as you choose. What was edited in it since the merge was begun is lost.'
        ),
        buttons: [
          Dialog.cancelButton({ label: trans.__('Cancel') }),
          Dialog.warnButton({ label: trans.__('Write It') })
        ],
        defaultButton: 0
      });
      if (!answer.button.accept) {
        return;
      }
    }
    if (await model.resolve('', choice)) {
      await showResult([file], NOW);
    }
  };

  const abort = async (): Promise<void> => {
    const { merge } = model;
    const yours = merge?.yours.ref ?? NOW;
    const answer = await showDialog({
      title: trans.__('Give the merge up?'),
      body: merge?.markers
        ? trans.__(
            'The files that this merge wrote become what they were before it was begun. What you chose and edited in them since is lost.'
          )
        : trans.__(
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
      await showResult(result.written, yours);
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
    decide: (file, choice, isEdited) => {
      void decide(file, choice, isEdited);
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
      }),
    copyLink: () =>
      execute(CommandIDs.copyLink, { view: 'merge', workspace: root })
  };

  const content = new MergeWidget({
    model,
    actions,
    services,
    outputs: {
      rendermime: options.rendermime,
      blob: (blob, signal) => differences.blob(blob, signal),
      highlighter: null,
      trans
    },
    trans
  });
  const tab = new MainAreaWidget({ content });
  tab.id = `dotscience-merge-${UUID.uuid4()}`;
  tab.addClass('jp-DotscienceMain');
  tab.node.dataset[WORKSPACE] = root;
  tab.title.closable = true;
  tab.toolbar.hide();
  setLink(tab, () => ({ view: 'merge', parts: { workspace: root } }));

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
  // conflicts that are marked in the files are decided by saving these
  const onFile = (
    _: Contents.IManager,
    { newValue }: Contents.IChangedArgs
  ): void => {
    const path = newValue?.path ? serverPath(contents, newValue.path) : null;
    if (
      path !== null &&
      isInside(path, root) &&
      model.merge?.markers &&
      !model.isBusy
    ) {
      void model.load();
    }
  };
  const { stream } = serviceManager.events;
  stream.connect(onEvent, tab);
  contents.fileChanged.connect(onFile, tab);
  tab.disposed.connect(() => {
    stream.disconnect(onEvent, tab);
    contents.fileChanged.disconnect(onFile, tab);
  });
  void model.load();
  return tab;
}
