// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { messageOf } from './reason';

/**
 * An answer of the server that is not what was asked for, or no answer at all.
 */
export class ApiError extends Error {
  /**
   * Create an error.
   *
   * @param status - The HTTP status; 0 when the server could not be reached
   * @param code - What the server calls it (`no_workspace`, `invalid_where`, ...), or
   * `offline`, `missing` or `unknown` when it did not say
   * @param message - One sentence for people
   * @param details - More, for a dialog
   */
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: string | null = null
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/**
 * Values that a query string can hold; those that are `undefined` or `''` are left out.
 */
export type Query = Record<string, string | number | boolean | undefined>;

/**
 * The address of an endpoint.
 *
 * @param settings - The application's server settings
 * @param endpoint - The path below `<base url>dotscience/`, already percent-encoded
 * @param query - Query parameters
 * @returns The absolute URL
 */
export function endpointUrl(
  settings: ServerConnection.ISettings,
  endpoint: string,
  query: Query = {}
): string {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') {
      given[name] = value === true ? '1' : String(value);
    }
  }
  return (
    URLExt.join(settings.baseUrl, 'dotscience', endpoint) +
    URLExt.objectToQueryString(given)
  );
}

/**
 * Ask the server and give its answer, whatever the status.
 *
 * @throws ApiError with status 0 and code `offline` when there is no answer
 */
export async function requestRaw(
  settings: ServerConnection.ISettings,
  endpoint: string,
  query: Query = {},
  init: RequestInit = {}
): Promise<Response> {
  try {
    return await ServerConnection.makeRequest(
      endpointUrl(settings, endpoint, query),
      init,
      settings
    );
  } catch (reason) {
    if (isAbort(reason)) {
      throw reason;
    }
    throw new ApiError(0, 'offline', messageOf(reason));
  }
}

/**
 * Ask the server for JSON.
 *
 * @throws ApiError for every status that is not 2xx, and when there is no answer
 */
export async function request<T>(
  settings: ServerConnection.ISettings,
  endpoint: string,
  query: Query = {},
  init: RequestInit = {}
): Promise<T> {
  const response = await requestRaw(settings, endpoint, query, init);
  if (!response.ok) {
    throw await toApiError(response);
  }
  if (response.status === 204) {
    return undefined as T;
  }
  return (await response.json()) as T;
}

/**
 * Read what an answer with an error status says.
 */
export async function toApiError(response: Response): Promise<ApiError> {
  const body = await readProblem(response);
  const code = body.code ?? (response.status === 404 ? 'missing' : 'unknown');
  const message =
    body.message || response.statusText || `HTTP ${response.status}`;
  return new ApiError(response.status, code, message, body.details ?? null);
}

/**
 * Any thrown thing as an error of the API.
 */
export function asApiError(reason: unknown): ApiError {
  return reason instanceof ApiError
    ? reason
    : new ApiError(0, 'unknown', messageOf(reason));
}

/**
 * Whether a request was given up by us.
 */
export function isAbort(reason: unknown): boolean {
  return (
    typeof reason === 'object' &&
    reason !== null &&
    (reason as { name?: unknown }).name === 'AbortError'
  );
}

interface IProblem {
  code?: string;
  message?: string;
  details?: string | null;
}

async function readProblem(response: Response): Promise<IProblem> {
  try {
    const body: unknown = await response.json();
    return typeof body === 'object' && body !== null ? (body as IProblem) : {};
  } catch {
    // A proxy's HTML page or nothing at all: the status has to do.
    return {};
  }
}
