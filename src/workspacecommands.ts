// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import {
  type ICommandPalette,
  InputDialog,
  Notification,
  showErrorMessage
} from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { TranslationBundle } from '@jupyterlab/translation';
import { refreshIcon, undoIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { runArgument, workspaceArgument } from './arguments';
import type { ApiError } from './api/client';
import type { CommitResult, RollbackResult } from './api/schema';
import { CommandIDs } from './commands';
import { toDrivePath } from './drive/paths';
import { openDocuments, saveDocuments, unsavedDocuments } from './documents';
import { commitIcon, dotscienceIcon } from './icons';
import { asApiError } from './request';
import { withProgress } from './progress';
import { shortId } from './run/format';
import type { IWorkspaceTracker } from './tokens';

/** For how long good news is shown, in ms. */
const GOOD_NEWS = 5000;

interface IParts {
  documents: IDocumentManager | null;
  palette: ICommandPalette | null;
  tracker: IWorkspaceTracker;
  trans: TranslationBundle;
}

/**
 * Add the commands that act on the workspace at hand.
 */
export function addWorkspaceCommands(
  app: JupyterFrontEnd,
  parts: IParts
): void {
  const { commands } = app;
  const { palette, tracker, trans } = parts;

  commands.addCommand(CommandIDs.startTracking, {
    label: trans.__('Start Tracking This Folder'),
    caption: trans.__(
      'Make the folder at hand a workspace, in which runs are kept with their code and data'
    ),
    icon: dotscienceIcon,
    isEnabled: args => args.path !== undefined || tracker.workspace === null,
    describedBy: {
      args: {
        type: 'object',
        properties: {
          path: {
            type: 'string',
            description: trans.__(
              'Path of the folder; the suggested one when absent'
            )
          },
          force: {
            type: 'boolean',
            description: trans.__('Also when it is a home folder')
          }
        }
      }
    },
    execute: args => startTracking(args, parts)
  });

  commands.addCommand(CommandIDs.commit, {
    label: trans.__('Save and Commit'),
    caption: trans.__(
      'Save the open documents of this workspace and commit its files'
    ),
    icon: commitIcon,
    isEnabled: () => tracker.workspace !== null,
    describedBy: {
      args: {
        type: 'object',
        properties: {
          description: {
            type: 'string',
            description: trans.__(
              'What the commit is about; asked for when absent'
            )
          }
        }
      }
    },
    execute: args => commit(app, args, parts)
  });

  commands.addCommand(CommandIDs.refresh, {
    label: trans.__('Refresh the Workspace'),
    caption: trans.__('Look at the folder at hand and its runs again'),
    icon: refreshIcon,
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => tracker.refresh(true)
  });

  commands.addCommand(CommandIDs.goBack, {
    label: trans.__('Go Back to a Run…'),
    caption: trans.__(
      'Make the files of the workspace what they were when the run was made; what is there now is committed before'
    ),
    icon: undoIcon,
    describedBy: {
      args: {
        type: 'object',
        properties: {
          run: runArgument(trans),
          workspace: workspaceArgument(trans)
        }
      }
    },
    execute: args => goBackTo(app, args, parts)
  });

  tracker.workspaceChanged.connect(() => {
    commands.notifyCommandChanged(CommandIDs.startTracking);
    commands.notifyCommandChanged(CommandIDs.commit);
  });

  const category = trans.__('Dotscience');
  for (const command of [
    CommandIDs.startTracking,
    CommandIDs.commit,
    CommandIDs.goBack,
    CommandIDs.refresh
  ]) {
    palette?.addItem({ command, category });
  }
}

async function startTracking(
  args: ReadonlyPartialJSONObject,
  parts: IParts
): Promise<void> {
  const { tracker, trans } = parts;
  const path =
    (args.path as string | undefined) ?? tracker.suggestedPath ?? tracker.path;
  try {
    const workspace = await tracker.client.createWorkspace(
      path,
      args.force === true
    );
    Notification.success(trans.__('%1 is tracked now.', workspace.name), {
      autoClose: GOOD_NEWS
    });
  } catch (reason) {
    const error = asApiError(reason);
    Notification.error(
      trans.__('The folder is not tracked: %1', error.message),
      { autoClose: false, actions: detailActions(error, trans) }
    );
  }
  await tracker.refresh();
}

async function commit(
  app: JupyterFrontEnd,
  args: ReadonlyPartialJSONObject,
  parts: IParts
): Promise<CommitResult | null> {
  const { tracker, trans } = parts;
  const workspace = tracker.workspace;
  if (!workspace) {
    Notification.info(
      trans.__('Nothing to commit: the folder at hand is not tracked.'),
      { autoClose: GOOD_NEWS }
    );
    return null;
  }
  const description = await askDescription(args, trans);
  if (description === null) {
    return null;
  }
  try {
    const result = await withProgress(
      trans.__('Committing…'),
      saveAll(app, workspace.path, parts).then(() =>
        tracker.client.commit(workspace.path, description)
      )
    );
    Notification.success(outcome(result, trans), { autoClose: GOOD_NEWS });
    await tracker.refresh();
    return result;
  } catch (reason) {
    const error = asApiError(reason);
    Notification.error(trans.__('Not committed: %1', error.message), {
      autoClose: false,
      actions: detailActions(error, trans)
    });
    return null;
  }
}

async function goBackTo(
  app: JupyterFrontEnd,
  args: ReadonlyPartialJSONObject,
  parts: IParts
): Promise<RollbackResult | null> {
  const { documents, tracker, trans } = parts;
  const { rootOf, runOf, workspaceOf } = await import('./run/choose');
  const run = await runOf(args, tracker, trans.__('Go Back to a Run'), trans);
  if (run === null) {
    return null;
  }
  const { goBack } = await import('./run/goback');
  const root = await rootOf(workspaceOf(args, tracker), tracker);
  const { contents } = app.serviceManager;
  const result = await goBack({
    client: tracker.client,
    root,
    run,
    save: () => saveAll(app, root, parts),
    documents: () =>
      documents ? openDocuments(app.shell, documents, contents, root) : [],
    read: async (context, commit) => {
      const { placeOf } = await import('./history/place');
      const place = await placeOf(context.path, contents, tracker);
      return place
        ? contents.get(
            toDrivePath({ workspace: root, commit, path: place.file }),
            { type: context.contentsModel?.type }
          )
        : null;
    },
    trans
  });
  if (result) {
    await tracker.refresh();
  }
  return result;
}

async function askDescription(
  args: ReadonlyPartialJSONObject,
  trans: TranslationBundle
): Promise<string | null> {
  if (typeof args.description === 'string') {
    return args.description.trim();
  }
  const answer = await InputDialog.getText({
    title: trans.__('Save and Commit'),
    label: trans.__('What is this about? (may be empty)'),
    okLabel: trans.__('Commit')
  });
  return answer.button.accept ? (answer.value ?? '').trim() : null;
}

/**
 * Save all documents of a workspace; a commit without what is on the screen would surprise.
 */
async function saveAll(
  app: JupyterFrontEnd,
  folder: string,
  parts: IParts
): Promise<void> {
  const { documents, trans } = parts;
  if (!documents) {
    return;
  }
  const { contents } = app.serviceManager;
  await saveDocuments(
    unsavedDocuments(app.shell, documents, contents, folder),
    trans
  );
}

function outcome(result: CommitResult, trans: TranslationBundle): string {
  const { commit } = result;
  if (!commit) {
    return trans.__('Nothing had changed since the newest commit.');
  }
  const id = shortId(commit.id);
  return commit.runs.length > 0
    ? trans._n(
        'Committed as %2, with %1 run.',
        'Committed as %2, with %1 runs.',
        commit.runs.length,
        id
      )
    : trans.__('Committed as %1.', id);
}

/**
 * A notification holds 140 characters; the rest is in a dialog.
 */
function detailActions(
  error: ApiError,
  trans: TranslationBundle
): Notification.IAction[] {
  if (!error.details && error.message.length < 100) {
    return [];
  }
  return [
    {
      label: trans.__('Show'),
      callback: () => {
        const text = [error.message, error.details ?? ''].join('\n\n').trim();
        void showErrorMessage(trans.__('What happened'), text);
      }
    }
  ];
}
