/*-------------------------------------------------------------------------
 *
 * prepared_tokenizer.c
 *	  A model's tokenizer, its tables made once and shared by all processes.
 *
 * A file is a header of a fixed size, which tells of which tokenizer.json and of
 * what in the files beside it it was made, and an image of the tokenizer.  It is written under a name of its
 * own and renamed into place, without waiting for anybody: two processes that
 * write at once write the same.
 *
 *-------------------------------------------------------------------------
 */
#include "model/prepared/prepared_tokenizer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "files/directory.h"
#include "model/prepared/prepared_format.h"
#include "tokenizer/tokenizer_image.h"

#define TOKENIZER_FILE		"tokenizer.json"
#define MAX_TOKENIZER_SIZE	((size_t) 256 * 1024 * 1024)
#define MAGIC				"SRMTOKF3"

/* A multiple of 64 bytes; as a whole it is what the model asks for, or the file is not used. */
typedef struct Header
{
	char		magic[8];
	uint64_t	stamp[7];		/* of tokenizer.json */
	uint64_t	others;			/* hash of the other files */
	uint64_t	checksum;		/* of the header, with this as 0 */
	uint64_t	unused[6];
	char		directory[SRM_PREPARED_DIRECTORY];
} Header;

_Static_assert(sizeof(Header) % 64 == 0, "an image is aligned to 64 bytes");

typedef struct Sharer
{
	SrmModel   *model;
	const SrmTokenizerFiles *files;
	const SrmModelOptions *options;
	int			directory;		/* descriptor; -1: nothing is shared */
	Header		header;
	char		name[SRM_PREPARED_NAME];
} Sharer;

static uint64_t
header_checksum(const Header *header)
{
	Header		copy = *header;

	copy.checksum = 0;
	return srm_hash_bytes(0, &copy, sizeof(copy));
}

static void
fill_header(Header *header, const char *directory, const SrmFileStamp *stamp, uint64_t others)
{
	memset(header, 0, sizeof(Header));
	memcpy(header->magic, MAGIC, sizeof(header->magic));
	header->stamp[0] = stamp->device;
	header->stamp[1] = stamp->inode;
	header->stamp[2] = stamp->size;
	header->stamp[3] = (uint64_t) stamp->modified_s;
	header->stamp[4] = (uint64_t) stamp->modified_ns;
	header->stamp[5] = (uint64_t) stamp->changed_s;
	header->stamp[6] = (uint64_t) stamp->changed_ns;
	header->others = others;
	snprintf(header->directory, sizeof(header->directory), "%s", directory);
	header->checksum = header_checksum(header);
}

/* What keeps weights from being shared is said there. */
static void
open_sharer(Sharer *sharer, SrmModel *model, const SrmTokenizerFiles *files,
			const SrmModelOptions *options, const SrmFile *file)
{
	const char *directory = srm_files_of_tokenizer(model->files)->directory;

	sharer->model = model;
	sharer->files = files;
	sharer->options = options;
	sharer->directory = -1;
	if (options == NULL || options->prepared == NULL || options->compute_choice == SRM_CHOICE_PLAIN ||
		strlen(directory) >= SRM_PREPARED_DIRECTORY ||
		(mkdir(options->prepared, options->mode) != 0 && errno != EEXIST))
		return;
	sharer->directory = open(options->prepared, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fill_header(&sharer->header, directory, &file->stamp, files->hash);
	srm_prepared_key(sharer->name, directory, SRM_PREPARED_TOKENIZER);
}

/* Takes the tokenizer out of a mapping, which stays the caller's. */
static bool
use_mapping(const Sharer *sharer, const char *data, size_t size)
{
	SrmModel   *model = sharer->model;
	SrmStatus	status;

	if (memcmp(data, &sharer->header, sizeof(Header)) != 0)
		return false;
	srm_status_init(&status);
	model->tokenizer = srm_tokenizer_open(data + sizeof(Header), size - sizeof(Header),
										  model->arena, &status);
	return model->tokenizer != NULL;
}

/* Whether the file is there and of this tokenizer.json; if so it is mapped and used. */
static bool
use_file(const Sharer *sharer)
{
	SrmPrepared *prepared = &sharer->model->prepared;
	int			fd = openat(sharer->directory, sharer->name,
							O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	void	   *data = MAP_FAILED;
	size_t		size = 0;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > (off_t) sizeof(Header))
	{
		size = (size_t) st.st_size;
		data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	}
	close(fd);
	if (data == MAP_FAILED)
		return false;
	if (!use_mapping(sharer, data, size))
	{
		munmap(data, size);
		return false;
	}
	prepared->tokenizer = data;
	prepared->tokenizer_bytes = size;
	return true;
}

/*
 * The lock on the file that is not in place yet shows that it is no remains of a
 * crash.  Nothing is flushed: what a crash of the machine loses, the checksum misses.
 */
static bool
make_file(const Sharer *sharer, const char *image, size_t size)
{
	char		temporary[SRM_PREPARED_NAME + 32];
	bool		done;
	int			fd;

	snprintf(temporary, sizeof(temporary), "%s.%ld.tmp", sharer->name, (long) getpid());
	(void) unlinkat(sharer->directory, temporary, 0);
	fd = openat(sharer->directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				sharer->options->mode & 0666);
	if (fd < 0)
		return false;
	done = flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		srm_file_write(fd, &sharer->header, sizeof(Header)) &&
		srm_file_write(fd, image, size) &&
		renameat(sharer->directory, temporary, sharer->directory, sharer->name) == 0;
	if (!done)
		(void) unlinkat(sharer->directory, temporary, 0);
	close(fd);
	return done;
}

/* Uses the file, and makes it where it is missing or another one; json has the contents for that. */
static bool
share(const Sharer *sharer, const char *json, size_t length, SrmArena *scratch, SrmStatus *status)
{
	size_t		size;
	const char *image = srm_tokenizer_pack(json, length, &sharer->files->special, scratch,
										   &size, status);

	/* Another process may have made it meanwhile */
	return image != NULL &&
		(use_file(sharer) || (make_file(sharer, image, size) && use_file(sharer)));
}

static bool
load(const Sharer *sharer, const SrmFile *file, SrmArena *scratch, const SrmStop *stop,
	 SrmStatus *status)
{
	SrmModel   *model = sharer->model;
	const char *json;

	if (sharer->directory >= 0 && use_file(sharer))
		return true;
	json = srm_file_read(file, MAX_TOKENIZER_SIZE, scratch, status);
	if (json == NULL || !srm_continue(stop, status))
		return false;
	if (sharer->directory >= 0 && share(sharer, json, file->size, scratch, status))
		return true;
	if (status->code == SRM_OK)
		model->tokenizer = srm_tokenizer_load(json, file->size, &sharer->files->special, model->arena, status);
	return model->tokenizer != NULL ||
		srm_fail_place(status, file->path);
}

bool
srm_prepared_tokenizer(SrmModel *model, const SrmTokenizerFiles *files,
					   const SrmModelOptions *options, const SrmStop *stop, SrmStatus *status)
{
	SrmArena   *scratch = srm_arena_create(status);
	Sharer		sharer;
	SrmFile		file;
	bool		done = false;

	if (scratch != NULL && srm_files_open(srm_files_of_tokenizer(model->files), TOKENIZER_FILE, false, &file, status))
	{
		open_sharer(&sharer, model, files, options, &file);
		done = load(&sharer, &file, scratch, stop, status);
		if (sharer.directory >= 0)
			close(sharer.directory);
		srm_file_close(&file);
	}
	srm_arena_free(scratch);
	return done;
}

bool
srm_prepared_tokenizer_check(const char *data, size_t size, const char *directory)
{
	SrmTokenizerTables tables;
	Header		header;

	if (size < sizeof(Header))
		return false;
	memcpy(&header, data, sizeof(Header));
	return memcmp(header.magic, MAGIC, sizeof(header.magic)) == 0 &&
		header.checksum == header_checksum(&header) &&
		strncmp(header.directory, directory, sizeof(header.directory)) == 0 &&
		srm_tokenizer_image_read(data + sizeof(Header), size - sizeof(Header), &tables);
}

bool
srm_prepared_tokenizer_is_current(int fd)
{
	Header		header;
	struct stat st;

	return pread(fd, &header, sizeof(Header), 0) == (ssize_t) sizeof(Header) &&
		memcmp(header.magic, MAGIC, sizeof(header.magic)) == 0 &&
		memchr(header.directory, '\0', sizeof(header.directory)) != NULL &&
		(stat(header.directory, &st) == 0 || errno != ENOENT);
}
