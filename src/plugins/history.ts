// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import {
  ICommandPalette,
  Notification,
  WidgetTracker
} from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { historyIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { workspaceArgument } from '../arguments';
import { CommandIDs } from '../commands';
import type { HistoryWidget } from '../history/widget';
import { restoreIcon } from '../icons';
import { openTab, showTab } from '../mainarea';
import { tellFailure } from '../reason';
import { IWorkspaceTracker, TRANSLATION_DOMAIN } from '../tokens';

/**
 * The versions of a file, and bringing one back.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:history',
  description: 'The versions of a file, and bringing one back.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  optional: [
    ICommandPalette,
    ILayoutRestorer,
    IDocumentManager,
    IFileBrowserFactory,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    workspaces: IWorkspaceTracker,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    documents: IDocumentManager | null,
    browsers: IFileBrowserFactory | null,
    translator: ITranslator | null
  ): void => {
    const { commands, shell } = app;
    const { contents } = app.serviceManager;
    const { client } = workspaces;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const tabs = new WidgetTracker<MainAreaWidget<HistoryWidget>>({
      namespace: 'dotscience-history'
    });

    const failed = (what: string, reason: unknown): void =>
      tellFailure(trans, what, reason);
    const commitArg = {
      type: 'string',
      description: trans.__('The id of the commit.')
    };
    const pathArg = {
      type: 'string',
      description: trans.__('The path of the file in the commit.')
    };

    /** The file that a tab's context menu, the file browser or the tab at hand is about. */
    const fileAtHand = (from: unknown): string | null => {
      if (from === 'tab') {
        const node = app.contextMenuHitTest(hit => Boolean(hit.dataset.id));
        for (const widget of shell.widgets('main')) {
          if (node && widget.id === node.dataset.id) {
            return documents?.contextForWidget(widget)?.path ?? null;
          }
        }
        return null;
      }
      if (from === 'browser') {
        const items = [
          ...(browsers?.tracker.currentWidget?.selectedItems() ?? [])
        ];
        return items.length === 1 && items[0].type !== 'directory'
          ? items[0].path
          : null;
      }
      const current = shell.currentWidget;
      return (
        (current && documents?.contextForWidget(current)?.path) ??
        fileAtHand('browser')
      );
    };
    const fileOf = (args: ReadonlyPartialJSONObject): string | null =>
      typeof args.file === 'string' ? args.file : fileAtHand(args.from);

    const open = async (path: string): Promise<void> => {
      const { placeOf } = await import('../history/place');
      const place = await placeOf(path, contents, workspaces);
      if (!place) {
        Notification.info(
          trans.__(
            '%1 is in no workspace, so it has no versions. Once its folder is tracked, every commit keeps one.',
            path
          )
        );
        return;
      }
      const { workspace, file, contentsPath } = place;
      const shown = tabs.find(
        ({ content: { model } }) => model.contentsPath === contentsPath
      );
      if (shown) {
        showTab(shell, shown);
        return;
      }
      const [{ createHistoryTab }, { HistoryClient }] = await Promise.all([
        import('../history/tab'),
        import('../history/client')
      ]);
      const tab = createHistoryTab({
        client: new HistoryClient(client.serverSettings),
        commands,
        workspace: workspace.path,
        file,
        contentsPath,
        trans
      });
      await openTab(shell, tabs, tab);
    };

    commands.addCommand(CommandIDs.openHistory, {
      label: args =>
        args.from ? trans.__('History') : trans.__('History of the File'),
      caption: trans.__(
        'Show the versions of a file, and the runs that made them'
      ),
      icon: historyIcon,
      isVisible: args =>
        args.from === undefined || fileAtHand(args.from) !== null,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            file: {
              type: 'string',
              description: trans.__(
                'Contents path of the file; without it the one at hand.'
              )
            },
            from: {
              type: 'string',
              enum: ['browser', 'tab'],
              description: trans.__(
                'Whose menu is open: that of the file browser or of a tab.'
              )
            }
          }
        }
      },
      execute: async args => {
        const file = fileOf(args);
        if (file === null) {
          Notification.info(
            trans.__('Open a file, or choose one in the file browser, first.')
          );
          return;
        }
        try {
          await open(file);
        } catch (reason) {
          failed(trans.__('The history could not be opened'), reason);
        }
      }
    });

    commands.addCommand(CommandIDs.scratchCopy, {
      label: trans.__('Scratch Copy'),
      caption: trans.__(
        'Copy a file of a commit beside the present one, under a new name, and open it'
      ),
      icon: historyIcon,
      describedBy: {
        args: {
          type: 'object',
          required: ['commit', 'path'],
          properties: {
            commit: commitArg,
            path: pathArg,
            workspace: workspaceArgument(trans)
          }
        }
      },
      execute: async args => {
        const [{ workspaceOf }, { scratchCopy }, { HistoryClient }] =
          await Promise.all([
            import('../run/choose'),
            import('../history/scratch'),
            import('../history/client')
          ]);
        return scratchCopy({
          history: new HistoryClient(client.serverSettings),
          workspace: workspaceOf(args, workspaces),
          commit: String(args.commit),
          path: String(args.path),
          open: path => {
            documents?.openOrReveal(path);
            void browsers?.tracker.currentWidget?.model.refresh();
          },
          trans
        });
      }
    });

    commands.addCommand(CommandIDs.bringBack, {
      label: trans.__('Bring Back…'),
      caption: trans.__(
        'Put a file of a commit in the place of the present one; shows the difference first'
      ),
      icon: restoreIcon,
      describedBy: {
        args: {
          type: 'object',
          required: ['commit', 'path'],
          properties: {
            commit: commitArg,
            path: pathArg,
            to: {
              type: 'string',
              description: trans.__(
                'Contents path of the file whose place it takes; without it where it was.'
              )
            },
            workspace: workspaceArgument(trans)
          }
        }
      },
      execute: async args => {
        const [{ startBringingBack }, { workspaceOf }] = await Promise.all([
          import('../history/start'),
          import('../run/choose')
        ]);
        try {
          return await startBringingBack({
            app,
            workspaces,
            documents,
            workspace: workspaceOf(args, workspaces),
            commit: String(args.commit),
            path: String(args.path),
            to: typeof args.to === 'string' ? args.to : null,
            trans
          });
        } catch (reason) {
          failed(trans.__('Nothing was brought back'), reason);
          return false;
        }
      }
    });

    // a commit may have brought a version, and a change of the files what is told of now
    const readAgain = (): void => {
      const root = workspaces.workspace?.path;
      tabs.forEach(({ content: { model } }) => {
        if (model.workspace === root) {
          void model.load();
        }
      });
    };
    workspaces.runsChanged.connect(readAgain);
    workspaces.statusChanged.connect(readAgain);

    if (restorer) {
      void restorer.restore(tabs, {
        command: CommandIDs.openHistory,
        args: tab => ({ file: tab.content.model.contentsPath }),
        name: tab => tab.content.model.contentsPath
      });
    }
    palette?.addItem({
      command: CommandIDs.openHistory,
      category: trans.__('Dotscience')
    });
  }
};

export default plugin;
