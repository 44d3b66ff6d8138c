// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import { ICommandPalette, WidgetTracker } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { mergeIcon } from '../icons';
import { openTab, showTab } from '../mainarea';
import type { MergeWidget } from '../merge/widget';
import { IWorkspaceTracker, TRANSLATION_DOMAIN } from '../tokens';

const NAMESPACE = 'dotscience-merge';

/**
 * Takes the changes of another commit into the workspace.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:merge',
  description: 'Takes the changes of another commit into the workspace.',
  autoStart: true,
  requires: [IWorkspaceTracker, IEditorServices],
  optional: [
    ICommandPalette,
    ILayoutRestorer,
    IDocumentManager,
    IRenderMimeRegistry,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    workspaces: IWorkspaceTracker,
    services: IEditorServices,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    documents: IDocumentManager | null,
    rendermime: IRenderMimeRegistry | null,
    translator: ITranslator | null
  ): void => {
    const { commands } = app;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const tabs = new WidgetTracker<MainAreaWidget<MergeWidget>>({
      namespace: NAMESPACE
    });

    commands.addCommand(CommandIDs.openMerge, {
      label: trans.__('Merge into the Workspace…'),
      caption: trans.__(
        'Take the changes of another commit or run into the files as they are now, or go on with a merge'
      ),
      icon: mergeIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            theirs: {
              type: 'string',
              description: trans.__(
                'The commit, or run:ID, whose changes are taken in; without it the user is asked, unless a merge is under way.'
              )
            },
            workspace: {
              type: 'string',
              description: trans.__(
                'A contents path in the workspace; without it the workspace at hand.'
              )
            },
            ask: {
              type: 'boolean',
              description: trans.__(
                'Whether a merge is begun when none is under way; otherwise the tab says that there is none.'
              )
            }
          }
        }
      },
      execute: async args => {
        const { workspaceOf } = await import('../run/choose');
        const { workspaceFor } = await import('../difference/reader');
        const workspace = await workspaceFor(
          workspaceOf(args, workspaces),
          workspaces
        );
        const root = workspace.path;
        if (args.ask !== false) {
          const { beginMerge } = await import('../merge/begin');
          const begun = await beginMerge({
            app,
            client: workspaces.client,
            documents,
            root,
            theirs: typeof args.theirs === 'string' ? args.theirs : '',
            trans
          });
          if (!begun) {
            return;
          }
        }
        const open = tabs.find(
          ({ content }) => content.model.client.workspace === root
        );
        if (open) {
          showTab(app.shell, open);
          await open.content.model.load();
          return;
        }
        const { createMergeTab } = await import('../merge/tab');
        const tab = createMergeTab({
          app,
          tracker: workspaces,
          documents,
          services,
          rendermime,
          workspace,
          trans
        });
        await openTab(app.shell, tabs, tab);
      }
    });

    palette?.addItem({
      command: CommandIDs.openMerge,
      category: trans.__('Dotscience')
    });

    if (restorer) {
      void restorer.restore(tabs, {
        command: CommandIDs.openMerge,
        args: ({ content }) => ({
          workspace: content.model.client.workspace,
          ask: false
        }),
        name: ({ content }) => content.model.client.workspace
      });
    }
  }
};

export default plugin;
