// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { PathExt } from '@jupyterlab/coreutils';
import type { Contents } from '@jupyterlab/services';

import type { FileEntry } from '../api/schema';

/**
 * The model of a folder.
 *
 * @param name - What people see; without it the last part of the path
 */
export function folderModel(
  path: string,
  content: Contents.IModel[] | null = null,
  modified: string = new Date(0).toISOString(),
  name: string = PathExt.basename(path)
): Contents.IModel {
  return {
    name,
    path,
    type: 'directory',
    writable: false,
    created: modified,
    last_modified: modified,
    mimetype: '',
    format: content ? 'json' : null,
    content
  } as Contents.IModel;
}

/**
 * The model of a file, without its content.
 */
export function fileModel(
  path: string,
  entry: FileEntry,
  options: Contents.IFetchOptions
): Contents.IModel {
  const notebook = options.type
    ? options.type === 'notebook'
    : entry.name.endsWith('.ipynb') && options.format !== 'text';
  return {
    name: PathExt.basename(path),
    path,
    type: notebook ? 'notebook' : 'file',
    writable: false,
    created: entry.modified,
    last_modified: entry.modified,
    size: entry.size,
    mimetype: '',
    format: null,
    content: null,
    ...(options.hash && entry.digest
      ? { hash: entry.digest, hash_algorithm: 'blake3' }
      : {})
  } as unknown as Contents.IModel;
}

/**
 * The model of a file with its bytes.
 */
export function base64Model(
  model: Contents.IModel,
  bytes: Uint8Array,
  response: Response
): Contents.IModel {
  return {
    ...model,
    type: 'file',
    format: 'base64',
    mimetype: mimeType(response, 'application/octet-stream'),
    content: encodeBase64(bytes)
  };
}

/**
 * Encode bytes; in pieces, since a call takes only so many arguments.
 */
function encodeBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let start = 0; start < bytes.length; start += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(binary);
}

/**
 * Decode UTF-8, or give null where it is none.
 */
export function decodeText(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/**
 * The type that the server gives a file.
 */
export function mimeType(response: Response, otherwise: string): string {
  const type = response.headers.get('Content-Type')?.split(';', 1)[0].trim();
  return type || otherwise;
}

/**
 * Where a link in a folder leads, or null where that is outside of the commit.
 */
export function resolveLink(folder: string, target: string): string | null {
  if (target.startsWith('/')) {
    return null;
  }
  const parts = folder === '' ? [] : folder.split('/');
  for (const part of target.split('/')) {
    if (part === '..') {
      if (parts.length === 0) {
        return null;
      }
      parts.pop();
    } else if (part !== '' && part !== '.') {
      parts.push(part);
    }
  }
  return parts.join('/');
}
