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
import {
  IDefaultFileBrowser,
  IFileBrowserFactory
} from '@jupyterlab/filebrowser';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { historyIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { workspaceArgument } from '../arguments';
import { CommandIDs } from '../commands';
import type { CommitBrowser } from '../commits/browse';
import type { CommitsWidget } from '../commits/widget';
import { compareIcon, restoreIcon } from '../icons';
import { openTab, showTab } from '../mainarea';
import { tellFailure } from '../reason';
import { IWorkspaceTracker, TRANSLATION_DOMAIN } from '../tokens';

/**
 * The commits of a workspace, and their files.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:commits',
  description:
    'Lists the commits of a workspace, shows their files and restores them.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  optional: [
    ICommandPalette,
    ILayoutRestorer,
    IFileBrowserFactory,
    IDefaultFileBrowser,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    workspaces: IWorkspaceTracker,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    browsers: IFileBrowserFactory | null,
    ownBrowser: IDefaultFileBrowser | null,
    translator: ITranslator | null
  ): void => {
    const { commands, shell } = app;
    const { client } = workspaces;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const tabs = new WidgetTracker<MainAreaWidget<CommitsWidget>>({
      namespace: 'dotscience-commits'
    });
    let commitBrowser: CommitBrowser | null = null;

    const failed = (what: string, reason: unknown): void =>
      tellFailure(trans, what, reason);
    const rootFor = async (
      args: ReadonlyPartialJSONObject
    ): Promise<string> => {
      const { rootOf, workspaceOf } = await import('../run/choose');
      return rootOf(workspaceOf(args, workspaces), workspaces);
    };
    const text = (args: ReadonlyPartialJSONObject, name: string): string =>
      typeof args[name] === 'string' ? (args[name] as string) : '';

    const described = (
      more: Record<string, ReadonlyPartialJSONObject>,
      required: string[] = []
    ) => ({
      args: {
        type: 'object',
        required,
        properties: {
          ...more,
          workspace: workspaceArgument(trans)
        }
      }
    });
    const commitArg = {
      type: 'string',
      description: trans.__('The id of the commit.')
    };
    const isMenuArg = {
      type: 'boolean',
      description: trans.__('Whether the menu of a commit shows the command.')
    };

    commands.addCommand(CommandIDs.openCommits, {
      label: args =>
        args.isMenu ? trans.__('Commits') : trans.__('Show Commits'),
      caption: trans.__(
        'Show all commits: open their files, compare, merge or restore them'
      ),
      icon: historyIcon,
      describedBy: described({ commit: commitArg, isMenu: isMenuArg }),
      execute: async args => {
        const root = await rootFor(args);
        const commit = text(args, 'commit');
        const open = tabs.find(
          ({ content: { model } }) => model.workspace === root
        );
        if (open) {
          showTab(shell, open);
          if (commit) {
            await open.content.model.choose(commit);
          }
          return;
        }
        const { createCommitsTab } = await import('../commits/tab');
        const { workspace } = workspaces;
        const tab = createCommitsTab({
          client,
          commands,
          workspace: root,
          name: (workspace?.path === root && workspace.name) || root,
          commit,
          trans
        });
        // what is chosen can change, and so does what is restored
        const { model } = tab.content;
        let chosen = commit;
        model.stateChanged.connect(() => {
          const id = model.selected?.id ?? '';
          if (id !== chosen) {
            chosen = id;
            void tabs.save(tab);
          }
        });
        await openTab(shell, tabs, tab);
      }
    });

    commands.addCommand(CommandIDs.browseCommit, {
      label: args =>
        args.isMenu
          ? trans.__('All Files')
          : args.run
            ? trans.__('All Files as of This Run')
            : trans.__('All Files as of a Commit'),
      caption: trans.__(
        'Show all files as they were then, read-only, in a file browser of their own'
      ),
      icon: historyIcon,
      isEnabled: () => browsers !== null,
      describedBy: described({
        commit: commitArg,
        run: {
          type: 'string',
          description: trans.__('The id of a run, in place of its commit.')
        },
        isMenu: isMenuArg
      }),
      execute: async args => {
        if (!browsers) {
          return;
        }
        try {
          const root = await rootFor(args);
          const commit =
            text(args, 'commit') ||
            (await client.run(root, text(args, 'run'))).commit;
          const detail = await client.commitDetail(root, commit);
          const { CommitBrowser } = await import('../commits/browse');
          if (!commitBrowser || commitBrowser.isDisposed) {
            commitBrowser = new CommitBrowser({
              client,
              factory: browsers,
              onRestore: () => void commands.execute(CommandIDs.restoreChosen),
              trans
            });
            shell.add(commitBrowser, 'left', { rank: 110 });
            // back to where the user was
            commitBrowser.disposed.connect(() => {
              const own = browsers.tracker.find(
                browser => browser.model.driveName === ''
              );
              if (own) {
                shell.activateById(own.id);
              }
            });
          }
          await commitBrowser.showCommit(root, detail);
          shell.activateById(commitBrowser.id);
        } catch (reason) {
          failed(trans.__('The files could not be shown'), reason);
        }
      }
    });

    commands.addCommand(CommandIDs.compareWithPrevious, {
      label: trans.__('Compare with Previous'),
      caption: trans.__('Show what a commit changed'),
      icon: compareIcon,
      describedBy: described({ commit: commitArg, isMenu: isMenuArg }, [
        'commit'
      ]),
      execute: async args => {
        try {
          const root = await rootFor(args);
          const detail = await client.commitDetail(root, text(args, 'commit'));
          const [old] = detail.parents;
          if (!old) {
            Notification.info(
              trans.__('It is the first commit, so there is none before it.')
            );
            return;
          }
          await commands.execute(CommandIDs.openDifference, {
            old,
            new: detail.id,
            workspace: root
          });
        } catch (reason) {
          failed(trans.__('The commits could not be compared'), reason);
        }
      }
    });

    commands.addCommand(CommandIDs.restoreCommit, {
      label: args =>
        args.isMenu
          ? trans.__('Restore to a New Folder…')
          : trans.__('Restore a Commit to a New Folder…'),
      caption: trans.__(
        'Write files as they were then to a new folder; nothing that exists is changed'
      ),
      icon: restoreIcon,
      describedBy: described(
        {
          commit: commitArg,
          paths: {
            type: 'array',
            items: { type: 'string' },
            description: trans.__(
              'Paths of files and folders in the commit; without them everything.'
            )
          },
          to: {
            type: 'string',
            description: trans.__(
              'Contents path of the new folder; without it the user is asked.'
            )
          },
          isMenu: isMenuArg
        },
        ['commit']
      ),
      execute: async args => {
        const { restoreCommit } = await import('../run/restore');
        return restoreCommit({
          client,
          root: await rootFor(args),
          commit: text(args, 'commit'),
          paths: Array.isArray(args.paths) ? args.paths.map(String) : [],
          to: text(args, 'to') || undefined,
          openFolder: ownBrowser
            ? path => {
                shell.activateById(ownBrowser.id);
                void ownBrowser.model.cd(`/${path}`);
              }
            : null,
          trans
        });
      }
    });

    commands.addCommand(CommandIDs.restoreChosen, {
      label: trans.__('Restore to a New Folder…'),
      caption: trans.__(
        'Write what is chosen, as it was then, to a new folder; nothing that exists is changed'
      ),
      icon: restoreIcon,
      isVisible: () => Boolean(commitBrowser?.commit),
      describedBy: { args: { type: 'object', properties: {} } },
      execute: async () => {
        if (commitBrowser?.commit) {
          const { chosen, commit, workspace } = commitBrowser;
          await commands.execute(CommandIDs.restoreCommit, {
            commit,
            paths: chosen,
            workspace
          });
        }
      }
    });

    const readAgain = (): void => {
      const root = workspaces.workspace?.path;
      tabs.forEach(({ content: { model } }) => {
        if (model.workspace === root) {
          void model.load();
        }
      });
    };
    workspaces.runsChanged.connect(readAgain);

    if (restorer) {
      void restorer.restore(tabs, {
        command: CommandIDs.openCommits,
        args: ({ content: { model } }) => ({
          workspace: model.workspace,
          commit: model.selected?.id ?? ''
        }),
        name: ({ content: { model } }) => model.workspace
      });
    }
    palette?.addItem({
      command: CommandIDs.openCommits,
      category: trans.__('Dotscience')
    });
  }
};

export default plugin;
