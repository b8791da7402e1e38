/*
 * elf_file.h - the few facts of an ELF file that decide whether it can be preloaded.
 */
#ifndef DAYTONA_SCRIPTS_ELF_FILE_H
#define DAYTONA_SCRIPTS_ELF_FILE_H

#include <limits.h>
#include <stdbool.h>

struct elf_facts {
    bool same_architecture;     /**< word size, byte order and machine are this program's own */
    char interpreter[PATH_MAX]; /**< the dynamic linker it asks for; "" for none: static */
    bool go;                    /**< built by the Go compiler */
};

/** 0; -ENOEXEC when the file is not ELF or damaged; -errno when it cannot be read. With another
 *  architecture nothing else is known. */
int elf_file_read(const char *path, struct elf_facts *out);

#endif
