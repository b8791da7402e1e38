#include "scripts/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEGMENTS_MAX = 64, NOTE_MAX = 65536 };

/** Reads exactly `length` bytes at `offset`, or says the file is damaged. */
static int read_at(int file, void *out, size_t length, uint64_t offset)
{
    ssize_t got = pread(file, out, length, (off_t)offset);
    if (got < 0)
        return -errno;
    return (size_t)got == length ? 0 : -ENOEXEC;
}

static int read_header(int file, ElfW(Ehdr) * out)
{
    int result = read_at(file, out, EI_NIDENT, 0);
    if (result < 0 || memcmp(out->e_ident, ELFMAG, SELFMAG) != 0)
        return result < 0 ? result : -ENOEXEC;
    return read_at(file, out, sizeof *out, 0);
}

/** Compared with the running program's own header, so that no processor is named here. */
static bool same_architecture(const ElfW(Ehdr) * header)
{
    ElfW(Ehdr) own = {0};
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int result = file < 0 ? -errno : read_header(file, &own);
    if (file >= 0)
        close(file);
    return result == 0 && own.e_ident[EI_CLASS] == header->e_ident[EI_CLASS] &&
           own.e_ident[EI_DATA] == header->e_ident[EI_DATA] && own.e_machine == header->e_machine;
}

static int read_interpreter(int file, const ElfW(Phdr) * segment, char out[PATH_MAX])
{
    if (segment->p_filesz == 0 || segment->p_filesz > PATH_MAX)
        return -ENOEXEC;
    int result = read_at(file, out, segment->p_filesz, segment->p_offset);
    out[segment->p_filesz - 1] = '\0';
    return result;
}

/** Notes are records of name size, content size, type, name, content; each part padded to four
 *  bytes. The Go linker leaves one named "Go". */
static bool has_go_note(const unsigned char *notes, size_t length)
{
    ElfW(Nhdr) note;
    size_t at = 0;
    while (length - at >= sizeof note) {
        memcpy(&note, notes + at, sizeof note);
        size_t name = at + sizeof note;
        size_t padded =
            (((size_t)note.n_namesz + 3) & ~(size_t)3) + (((size_t)note.n_descsz + 3) & ~(size_t)3);
        if (padded > length - name)
            return false;
        if (note.n_namesz >= 3 && memcmp(notes + name, "Go", 3) == 0)
            return true;
        at = name + padded;
    }
    return false;
}

static bool segment_is_go(int file, const ElfW(Phdr) * segment)
{
    if (segment->p_filesz > NOTE_MAX)
        return false;
    unsigned char *notes = malloc(segment->p_filesz + 1);
    bool found = notes != NULL && read_at(file, notes, segment->p_filesz, segment->p_offset) == 0 &&
                 has_go_note(notes, segment->p_filesz);
    free(notes);
    return found;
}

static int read_segments(int file, const ElfW(Ehdr) * header, struct elf_facts *out)
{
    ElfW(Phdr) segment;
    if (header->e_phentsize != sizeof segment || header->e_phnum > SEGMENTS_MAX)
        return -ENOEXEC;
    for (unsigned i = 0; i < header->e_phnum; i++) {
        int result = read_at(file, &segment, sizeof segment, header->e_phoff + i * sizeof segment);
        if (result == 0 && segment.p_type == PT_INTERP)
            result = read_interpreter(file, &segment, out->interpreter);
        if (result < 0)
            return result;
        if (segment.p_type == PT_NOTE)
            out->go |= segment_is_go(file, &segment);
    }
    return 0;
}

int elf_file_read(const char *path, struct elf_facts *out)
{
    ElfW(Ehdr) header;
    *out = (struct elf_facts){0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    int result = read_header(file, &header);
    out->same_architecture = result == 0 && same_architecture(&header);
    if (out->same_architecture)
        result = read_segments(file, &header, out);
    close(file);
    return result;
}
