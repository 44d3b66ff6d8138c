// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { IWorkspaceTracker } from '../tokens';

/**
 * The table of runs with every parameter and metric, and charts of them.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:explorer',
  description: 'The table of runs with every parameter and metric, and charts of them.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  activate: (app: JupyterFrontEnd, workspaces: IWorkspaceTracker): void => {}
};

export default plugin;
