// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { IWorkspaceTracker } from '../tokens';

/**
 * Compares two moments file by file, inside the files.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:difference',
  description: 'Compares two moments file by file, inside the files.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  activate: (app: JupyterFrontEnd, workspaces: IWorkspaceTracker): void => {}
};

export default plugin;
