/** Finds the pictures in dropped folders. */

/** What pictures are called whose type the browser does not know by their names. */
const PICTURE_NAME = /\.(?:avif|bmp|gif|hei[cf]|jfif|jpe?g|jxl|png|tiff?|webp)$/i;

/**
 * Returns the dropped files, and the pictures in the folders and the folders in them.
 *
 * What else lies in a folder was not meant; a file that was dropped itself was.
 */
export async function filesOf(entries: readonly FileSystemEntry[]): Promise<readonly File[]> {
  const found = await Promise.all(
    entries.map(async (entry) => {
      const files = await below(entry);
      return entry.isDirectory ? files.filter(isPicture) : files;
    }),
  );
  return found.flat();
}

async function below(entry: FileSystemEntry): Promise<readonly File[]> {
  if (entry.isFile) {
    return [await file(entry as FileSystemFileEntry)];
  }
  const inside = await children(entry as FileSystemDirectoryEntry);
  inside.sort((one, other) => one.name.localeCompare(other.name));
  return (await Promise.all(inside.map(below))).flat();
}

function file(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

async function children(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    // Chromium gives a hundred at a time; an empty answer is the end.
    const some = await new Promise<readonly FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) {
      return found;
    }
    found.push(...some);
  }
}

function isPicture({ name, type }: File): boolean {
  return !name.startsWith('.') && (type.startsWith('image/') || PICTURE_NAME.test(name));
}
