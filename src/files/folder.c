/*-------------------------------------------------------------------------
 *
 * folder.c
 *	  Directories as tools leave them: caches of downloads, and what is no
 *	  model, with the reason.
 *
 *-------------------------------------------------------------------------
 */
#include "files/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define CACHE_PREFIX	"models--"
#define MAIN_COMMIT		"refs/main"
#define SNAPSHOTS		"snapshots"

#define SAFETENSORS_HINT \
	"Download the safetensors files, or make them: in Python, with transformers, CLASS.from_pretrained(DIRECTORY).save_pretrained(NEW_DIRECTORY)."

bool
srm_folder_is_cache(const char *name)
{
	return strncmp(name, CACHE_PREFIX, strlen(CACHE_PREFIX)) == 0;
}

static bool
is_hash(const char *name)
{
	size_t		length = strlen(name);

	return length > 0 && length <= SRM_MAX_SNAPSHOT && strspn(name, "0123456789abcdef") == length;
}

/* The hash in refs/main; false where there is no such file, or something else in it. */
static bool
read_main(const char *directory, char snapshot[SRM_MAX_SNAPSHOT + 1])
{
	int			directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int			fd = directory_fd < 0 ? -1 : openat(directory_fd, MAIN_COMMIT, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	ssize_t		n = fd < 0 ? -1 : read(fd, snapshot, SRM_MAX_SNAPSHOT);

	if (fd >= 0)
		close(fd);
	if (directory_fd >= 0)
		close(directory_fd);
	snapshot[n < 0 ? 0 : n] = '\0';
	snapshot[strcspn(snapshot, "\r\n")] = '\0';
	return is_hash(snapshot);
}

/* How many snapshots there are; snapshot is the last of them that was found. */
static size_t
count_snapshots(const char *directory, char snapshot[SRM_MAX_SNAPSHOT + 1])
{
	int			directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int			fd = directory_fd < 0 ? -1 : openat(directory_fd, SNAPSHOTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR		   *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	size_t		n = 0;

	while (stream != NULL && (entry = readdir(stream)) != NULL)
		if (is_hash(entry->d_name))
		{
			strcpy(snapshot, entry->d_name);
			n++;
		}
	if (stream != NULL)
		closedir(stream);
	else if (fd >= 0)
		close(fd);
	if (directory_fd >= 0)
		close(directory_fd);
	return n;
}

bool
srm_folder_snapshot(const char *directory, char snapshot[SRM_MAX_SNAPSHOT + 1])
{
	return read_main(directory, snapshot) || count_snapshots(directory, snapshot) == 1;
}

/* Names of files that tell what a directory is. */
typedef struct Folder
{
	size_t		n;				/* files, hidden ones left out */
	bool		has_config;
	char		gguf[NAME_MAX + 1]; /* "": none, as below */
	char		pickle[NAME_MAX + 1];
	char		other[NAME_MAX + 1];	/* weights of other libraries */
} Folder;

static bool
ends_with(const char *name, const char *const *suffixes)
{
	for (; *suffixes != NULL; suffixes++)
	{
		size_t		length = strlen(*suffixes);

		if (strlen(name) > length && strcmp(name + strlen(name) - length, *suffixes) == 0)
			return true;
	}
	return false;
}

static void
note_file(Folder *folder, const char *name)
{
	static const char *const ggufs[] = {".gguf", ".ggml", NULL};
	static const char *const pickles[] = {".bin", ".pt", ".pth", ".ckpt", NULL};
	static const char *const others[] = {".safetensors", ".h5", ".msgpack", ".onnx", NULL};

	folder->n++;
	if (strcmp(name, "config.json") == 0)
		folder->has_config = true;
	else if (ends_with(name, ggufs))
		strcpy(folder->gguf, name);
	else if (ends_with(name, pickles) && strcmp(name, "training_args.bin") != 0)
		strcpy(folder->pickle, name);
	else if (ends_with(name, others))
		strcpy(folder->other, name);
}

/* False where the directory cannot be read; errno tells why. */
static bool
read_folder(Folder *folder, const char *directory)
{
	DIR		   *stream = opendir(directory);
	struct dirent *entry;

	memset(folder, 0, sizeof(Folder));
	if (stream == NULL)
		return false;
	while ((entry = readdir(stream)) != NULL)
		if (entry->d_name[0] != '.')
			note_file(folder, entry->d_name);
	closedir(stream);
	return true;
}

static bool
explain_cache(const char *directory, SrmStatus *status)
{
	char		snapshot[SRM_MAX_SNAPSHOT + 1];

	if (read_main(directory, snapshot))
		srm_fail_detail(status, "The file \"%s/%s\" names the snapshot \"%s\", which has no config.json.",
						directory, MAIN_COMMIT, snapshot);
	else
		srm_fail_detail(status, "Directory \"%s\" has %zu snapshots, and no file \"%s\" that names one.",
						directory, count_snapshots(directory, snapshot), MAIN_COMMIT);
	return srm_fail_hint(status, "Download the model again, or link its snapshot by another name, inside the same directory.");
}

static bool
explain_folder(const Folder *folder, const char *directory, SrmStatus *status)
{
	if (folder->n == 0)
	{
		srm_fail_detail(status, "Directory \"%s\" is empty.", directory);
		return srm_fail_hint(status, "Download or copy the model's files into it.");
	}
	if (folder->gguf[0] != '\0')
	{
		srm_fail_detail(status, "Directory \"%s\" has \"%s\", which is a file for llama.cpp.", directory, folder->gguf);
		return srm_fail_hint(status, "Download the model that it was made of: config.json, tokenizer.json, and safetensors files.");
	}
	if (!folder->has_config)
	{
		srm_fail_detail(status, "Directory \"%s\" has no file \"config.json\".", directory);
		return srm_fail_hint(status, "Download or copy all of the model's files into it.");
	}
	if (folder->pickle[0] != '\0')
	{
		srm_fail_detail(status, "Directory \"%s\" has \"%s\", a pickle, which may run code when it is read: none is read here.",
						directory, folder->pickle);
		return srm_fail_hint(status, SAFETENSORS_HINT);
	}
	if (folder->other[0] != '\0')
	{
		srm_fail_detail(status, "Directory \"%s\" has \"%s\" instead.", directory, folder->other);
		return srm_fail_hint(status, SAFETENSORS_HINT);
	}
	return srm_fail_hint(status, "Models are read from safetensors files only.");
}

bool
srm_folder_explain(const char *directory, SrmStatus *status)
{
	const char *name = strrchr(directory, '/');
	Folder		folder;

	if (!read_folder(&folder, directory))
	{
		srm_fail_detail(status, "Directory \"%s\" could not be read: %s.", directory, strerror(errno));
		return srm_fail_hint(status, "Let the server's user read it, and search the directories above.");
	}
	if (!folder.has_config && name != NULL && srm_folder_is_cache(name + 1))
		return explain_cache(directory, status);
	return explain_folder(&folder, directory, status);
}
