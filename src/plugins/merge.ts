// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { IWorkspaceTracker } from '../tokens';

/**
 * Takes the changes of another commit into the workspace.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:merge',
  description: 'Takes the changes of another commit into the workspace.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  activate: (app: JupyterFrontEnd, workspaces: IWorkspaceTracker): void => {}
};

export default plugin;
