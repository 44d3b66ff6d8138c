// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { historyIcon } from '@jupyterlab/ui-components';

import { runArgument, workspaceArgument } from '../arguments';
import { CommandIDs } from '../commands';
// The drive and its marks must be there before a layout is restored that has documents of it.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { FrozenDrive } from '../drive/drive';
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { FrozenExtension, NO_KERNEL } from '../drive/frozen';
import { toDrivePath } from '../drive/paths';
import { tellFailure } from '../reason';
import { shortId } from '../run/format';
import { IWorkspaceTracker, TRANSLATION_DOMAIN } from '../tokens';

/**
 * The files of commits as a read-only drive.
 */
export const drivePlugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:drive',
  description:
    'Makes the files of commits readable as a drive and marks what is opened from it.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    workspaces: IWorkspaceTracker,
    translator: ITranslator | null
  ): void => {
    const { client } = workspaces;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const drive = new FrozenDrive({
      client,
      workspaces: () =>
        workspaces.workspace ? [workspaces.workspace.path] : [],
      trans
    });
    app.serviceManager.contents.addDrive(drive);

    const extension = new FrozenExtension({
      client,
      openRun: (run, workspace) => {
        void app.commands.execute(CommandIDs.openRun, { run, workspace });
      },
      scratchCopy: (commit, path, workspace) => {
        void app.commands.execute(CommandIDs.scratchCopy, {
          commit,
          path,
          workspace
        });
      },
      restore: (commit, workspace) => {
        void app.commands.execute(CommandIDs.restoreCommit, {
          commit,
          workspace
        });
      },
      browse: (commit, workspace) => {
        void app.commands.execute(CommandIDs.browseCommit, {
          commit,
          workspace
        });
      },
      trans
    });
    const { docRegistry } = app;
    const extended = new Set<string>();
    const extend = (factory: string): void => {
      // the registry knows factories by their name in lower case
      if (!extended.has(factory.toLowerCase())) {
        extended.add(factory.toLowerCase());
        docRegistry.addWidgetExtension(factory, extension);
      }
    };
    for (const factory of docRegistry.widgetFactories()) {
      extend(factory.name);
    }
    docRegistry.changed.connect((_, change) => {
      if (
        change.type === 'widgetFactory' &&
        change.change === 'added' &&
        change.name
      ) {
        extend(change.name);
      }
    });
  }
};

/**
 * Opening files as they were.
 */
export const openPlugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:open-frozen',
  description: 'Opens notebooks and files as they were when a run was made.',
  autoStart: true,
  requires: [IWorkspaceTracker, IDocumentManager],
  optional: [ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    workspaces: IWorkspaceTracker,
    documents: IDocumentManager,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ): void => {
    const { commands } = app;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);

    const open = async (
      workspace: string,
      commit: string,
      path: string,
      factory: string
    ): Promise<void> => {
      const { rootOf } = await import('../run/choose');
      const root = await rootOf(workspace, workspaces);
      documents.openOrReveal(
        toDrivePath({ workspace: root, commit, path }),
        factory,
        undefined,
        undefined,
        NO_KERNEL
      );
    };

    commands.addCommand(CommandIDs.openNotebookAtRun, {
      label: trans.__('Open Notebook as of a Run…'),
      caption: trans.__(
        'Open the notebook or script as it was when the run was made, read-only'
      ),
      icon: historyIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            run: runArgument(trans),
            workspace: workspaceArgument(trans)
          }
        }
      },
      execute: async args => {
        const { runOf, workspaceOf } = await import('../run/choose');
        const id = await runOf(
          args,
          workspaces,
          trans.__('Open Notebook as of a Run'),
          trans
        );
        if (id === null) {
          return;
        }
        const workspace = workspaceOf(args, workspaces);
        try {
          const run = await workspaces.client.run(workspace, id);
          const file = run.workload_file;
          if (!file) {
            Notification.info(
              trans.__(
                'Run %1 names no notebook or script. All its files can be restored to a new folder.',
                shortId(run.id)
              )
            );
            return;
          }
          await open(
            workspace,
            run.commit,
            file,
            file.endsWith('.ipynb') ? 'Notebook' : 'Editor'
          );
        } catch (reason) {
          tellFailure(trans, trans.__('The run could not be read'), reason);
        }
      }
    });

    commands.addCommand(CommandIDs.openFileAtCommit, {
      label: trans.__('Open File as of a Commit'),
      caption: trans.__('Open a file as it was in a commit, read-only'),
      icon: historyIcon,
      describedBy: {
        args: {
          type: 'object',
          required: ['commit', 'path'],
          properties: {
            commit: {
              type: 'string',
              description: trans.__('The id of the commit.')
            },
            path: {
              type: 'string',
              description: trans.__(
                'The path of the file, relative to the workspace.'
              )
            },
            workspace: workspaceArgument(trans),
            factory: {
              type: 'string',
              description: trans.__(
                'What to open it with; without it what files of its type are opened with.'
              )
            }
          }
        }
      },
      execute: async args => {
        const { workspaceOf } = await import('../run/choose');
        await open(
          workspaceOf(args, workspaces),
          String(args.commit),
          String(args.path),
          typeof args.factory === 'string' ? args.factory : 'default'
        );
      }
    });

    palette?.addItem({
      command: CommandIDs.openNotebookAtRun,
      category: trans.__('Dotscience')
    });
  }
};
