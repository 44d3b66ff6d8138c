// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';

import type { HubLogin, HubProject, SyncRemote } from '../api/schema';
import { asApiError } from '../request';
import { withProgress } from '../progress';
import type { SyncClient } from './client';
import { askLogin, askProject, loginFor } from './dialogs';
import { needsLogin } from './words';

interface IParts {
  client: SyncClient;
  trans: TranslationBundle;
}

/**
 * Have the user log in on a hub and choose the project of a workspace.
 *
 * @param options.workspace - Contents path of the workspace
 * @param options.name - What a new project is called unless the user says otherwise
 * @returns The project, or null if the user did not want to
 */
export async function connectHub(
  options: IParts & { workspace: string; name: string }
): Promise<SyncRemote | null> {
  const { client, trans, workspace } = options;
  let { name } = options;
  let url = '';
  let error = '';
  for (;;) {
    const login = await logIn({ client, trans, url, error, isFixed: false });
    if (!login) {
      return null;
    }
    url = login.url;
    let projects: HubProject[];
    try {
      projects = (
        await withProgress(
          trans.__('Asking the hub…'),
          client.projects(login.url)
        )
      ).items;
    } catch (reason) {
      // Back to where another address, or another key, can be given.
      error = asApiError(reason).message;
      continue;
    }
    error = '';
    for (;;) {
      const chosen = await askProject({ login, projects, name, error, trans });
      if (!chosen) {
        return null;
      }
      name = chosen.name;
      try {
        const status = await withProgress(
          trans.__('Connecting…'),
          client.connect(workspace, {
            url: login.url,
            ...(chosen.project
              ? { project: chosen.project }
              : { name: chosen.name })
          })
        );
        return status.remote;
      } catch (reason) {
        const { code, message } = asApiError(reason);
        error = message;
        if (needsLogin(code)) {
          break;
        }
      }
    }
  }
}

/**
 * Have the user log in on a hub.
 *
 * @param options.url - The address to begin with
 * @param options.error - Why they are asked
 * @param options.isFixed - Whether it has to be that hub
 * @returns Who they are there, or null if they did not want to
 */
export async function logIn(
  options: IParts & { url: string; error: string; isFixed: boolean }
): Promise<HubLogin | null> {
  const { client, isFixed, trans } = options;
  let { error, url } = options;
  const known = await client.hubs();
  url = url || (known[0]?.url ?? '');
  let user = loginFor(known, url)?.user ?? '';
  if (!isFixed) {
    // Whoever leaves it empty goes on as who they are; a name would need a password.
    user = '';
  }
  for (;;) {
    const answer = await askLogin({ known, url, user, isFixed, error, trans });
    if (!answer) {
      return null;
    }
    ({ url, user } = answer);
    const login = loginFor(known, url);
    if (!isFixed && login && !answer.user && !answer.password && !answer.key) {
      return login;
    }
    try {
      return await withProgress(trans.__('Logging in…'), client.logIn(answer));
    } catch (reason) {
      error = asApiError(reason).message;
    }
  }
}
