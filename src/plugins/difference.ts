// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import { ICommandPalette, WidgetTracker } from '@jupyterlab/apputils';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { workspaceArgument } from '../arguments';
import { CommandIDs } from '../commands';
import type { DifferenceOptions } from '../difference/options';
import type { DifferenceWidget } from '../difference/widget';
import { compareIcon } from '../icons';
import { openTab, showTab } from '../mainarea';
import { IWorkspaceTracker, TRANSLATION_DOMAIN } from '../tokens';

const NAMESPACE = 'dotscience-difference';

/**
 * Compares two moments file by file, inside the files.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:difference',
  description: 'Compares two moments file by file, inside the files.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  optional: [
    ICommandPalette,
    IEditorLanguageRegistry,
    ILayoutRestorer,
    IRenderMimeRegistry,
    IStateDB,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    workspaces: IWorkspaceTracker,
    palette: ICommandPalette | null,
    languages: IEditorLanguageRegistry | null,
    restorer: ILayoutRestorer | null,
    rendermime: IRenderMimeRegistry | null,
    state: IStateDB | null,
    translator: ITranslator | null
  ): void => {
    const { commands } = app;
    const { client } = workspaces;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const tabs = new WidgetTracker<MainAreaWidget<DifferenceWidget>>({
      namespace: NAMESPACE
    });
    let options: Promise<DifferenceOptions> | null = null;
    const shared = (): Promise<DifferenceOptions> => {
      options ??= import('../difference/options').then(async module => {
        const made = new module.DifferenceOptions(state);
        await made.restore();
        return made;
      });
      return options;
    };

    commands.addCommand(CommandIDs.openDifference, {
      label: args =>
        args.isMenu
          ? trans.__('Compare with Now')
          : trans.__('Compare Two Moments…'),
      caption: trans.__(
        'Show how the files of two commits or runs differ, or of one and the files as they are now'
      ),
      icon: compareIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            old: {
              type: 'string',
              description: trans.__(
                'The older moment: a commit, run:ID, or now; without it the user is asked.'
              )
            },
            new: {
              type: 'string',
              description: trans.__(
                'The newer moment: the same; without it the files as they are now.'
              )
            },
            file: {
              type: 'string',
              description: trans.__(
                'The path of the file that is shown first, relative to the workspace.'
              )
            },
            workspace: workspaceArgument(trans),
            isMenu: {
              type: 'boolean',
              description: trans.__(
                'Whether the menu of a run or commit shows the command.'
              )
            }
          }
        }
      },
      execute: async args => {
        const { workspaceOf } = await import('../run/choose');
        const where = workspaceOf(args, workspaces);
        const text = (name: string): string =>
          typeof args[name] === 'string' ? (args[name] as string) : '';
        let old = text('old');
        if (!old) {
          const { chooseMoment } = await import('../difference/choose');
          const chosen = await chooseMoment({
            client,
            workspace: where,
            title: trans.__('Compare Two Moments'),
            label: trans.__('Compare the files as they are now with:'),
            now: false,
            trans
          });
          if (chosen === null) {
            return;
          }
          old = chosen;
        }
        const newer = text('new') || 'now';
        const file = text('file');
        const { createDifferenceTab } = await import('../difference/tab');
        const { workspaceFor } = await import('../difference/reader');
        const workspace = await workspaceFor(where, workspaces);
        const open = tabs.find(({ content: { model } }) =>
          model.isOf(workspace.path, old, newer)
        );
        if (open) {
          showTab(app.shell, open);
          if (file) {
            await open.content.model.choose(file);
          }
          return;
        }
        const tab = createDifferenceTab({
          app,
          client,
          workspace,
          old,
          newer,
          file: file || undefined,
          options: await shared(),
          rendermime,
          languages,
          trans
        });
        // what it shows can change, and so does what is restored
        const { model } = tab.content;
        let shown = '';
        model.stateChanged.connect(() => {
          const now = [model.old, model.newer, model.path].join('\n');
          if (now !== shown) {
            shown = now;
            void tabs.save(tab);
          }
        });
        await openTab(app.shell, tabs, tab);
      }
    });

    commands.addCommand(CommandIDs.showChanges, {
      label: trans.__('Show Changes Since the Newest Commit'),
      caption: trans.__(
        'Show how the files as they are now differ from the newest commit'
      ),
      icon: compareIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            workspace: workspaceArgument(trans)
          }
        }
      },
      execute: async args => {
        await commands.execute(CommandIDs.openDifference, {
          ...args,
          old: 'HEAD',
          new: 'now'
        });
      }
    });

    const category = trans.__('Dotscience');
    palette?.addItem({ command: CommandIDs.openDifference, category });
    palette?.addItem({ command: CommandIDs.showChanges, category });

    if (restorer) {
      void restorer.restore(tabs, {
        command: CommandIDs.openDifference,
        args: ({ content: { model } }) => ({
          old: model.old,
          new: model.newer,
          file: model.path ?? '',
          workspace: model.client.workspace
        }),
        name: ({ content: { model } }) =>
          [model.client.workspace, model.old, model.newer].join('\n')
      });
    }
  }
};

export default plugin;
