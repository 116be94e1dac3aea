/* gzip.c: see gzip.h. libarchive packs it, which is here for apps: its "raw" format is the stream.
 */
#include "wire/gzip.h"

#include <archive.h>
#include <archive_entry.h>

static la_ssize_t put(struct archive *ar, void *arg, const void *data, size_t n)
{
    (void)ar;
    buf_add(arg, data, n);
    return (la_ssize_t)n;
}

enum outcome gzip_pack(struct bytes in, struct buf *out, struct err *err)
{
    struct archive *ar = archive_write_new();
    struct archive_entry *e = archive_entry_new();
    bool ok =
        ar != NULL && e != NULL && archive_write_set_format_raw(ar) == ARCHIVE_OK &&
        archive_write_add_filter_gzip(ar) == ARCHIVE_OK &&
        archive_write_set_options(ar, "gzip:!timestamp,gzip:compression-level=9") == ARCHIVE_OK &&
        archive_write_set_bytes_per_block(ar, 0) == ARCHIVE_OK &&
        archive_write_open(ar, out, NULL, put, NULL) == ARCHIVE_OK;

    if (ok) {
        archive_entry_set_filetype(e, AE_IFREG);
        ok = archive_write_header(ar, e) == ARCHIVE_OK &&
             archive_write_data(ar, in.p, in.n) == (la_ssize_t)in.n &&
             archive_write_close(ar) == ARCHIVE_OK && !buf_failed(out);
    }
    if (!ok)
        err_set(err, ERROR, "%zu octets cannot be packed", in.n);
    archive_entry_free(e);
    if (ar != NULL)
        archive_write_free(ar);
    return ok ? OK : ERROR;
}
