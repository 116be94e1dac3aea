/* libmac.c: users, passwords of the firmware, remote desktop, books: what a device keeps that only
 * some kinds have. */
#include "libsimdev.h"

#include "command/catalogue.h"
#include <stdlib.h>

static enum answer refuse(pl report, int64_t code, const char *text)
{
    answer_error(report, "MCMDMErrorDomain", code, text);
    return ANS_ERROR;
}

/* ------------------------------------------------------------------ passwords of a Mac */

static bool is_silicon(const struct simdev *d)
{
    return strncmp(d->hw.product, "iMac", 4) != 0;
}

static bool is_password(const char *is, const char *said)
{
    return strcmp(is ? is : "", said ? said : "") == 0;
}

/* False: the present one was not told, or another. */
static bool password_change(char **at, pl command)
{
    const char *now = pl_get_str(command, "CurrentPassword"),
               *to = pl_get_str(command, "NewPassword");
    if (*at && !is_password(*at, now))
        return false;
    free(*at);
    *at = to[0] ? strdup(to) : NULL;
    return true;
}

enum answer firmware_password_set(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl result = pl_new_dict();
    (void)channel;
    if (is_silicon(d)) {
        pl_free(&result);
        return refuse(report, 12021, "A Mac with Apple silicon has no firmware password.");
    }
    pl_set_bool(result, "PasswordChanged", password_change(&d->firmware_password, command));
    pl_set(report, "SetFirmwarePassword", result);
    return ANS_ACKNOWLEDGED;
}

enum answer firmware_password_verify(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl result = pl_new_dict();
    (void)channel;
    pl_set_bool(result, "PasswordVerified",
                d->firmware_password &&
                    is_password(d->firmware_password, pl_get_str(command, "Password")));
    pl_set(report, "VerifyFirmwarePassword", result);
    return ANS_ACKNOWLEDGED;
}

enum answer recovery_lock_set(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    if (!is_silicon(d))
        return refuse(report, 12021, "A Mac with an Intel processor has no recovery lock.");
    if (!password_change(&d->recovery_lock, command))
        return refuse(report, 12007, "The present password is another.");
    return ANS_ACKNOWLEDGED;
}

enum answer recovery_lock_verify(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    pl_set_bool(report, "PasswordVerified",
                d->recovery_lock && is_password(d->recovery_lock, pl_get_str(command, "Password")));
    return ANS_ACKNOWLEDGED;
}

/* ------------------------------------------------------------------ remote desktop */

enum answer remote_desktop_on(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    (void)command;
    (void)report;
    d->remote_desktop = true;
    return ANS_ACKNOWLEDGED;
}

enum answer remote_desktop_off(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    (void)command;
    (void)report;
    d->remote_desktop = false;
    return ANS_ACKNOWLEDGED;
}

/* ------------------------------------------------------------------ users */

static struct channel *user_find(struct simdev *d, const char *name)
{
    for (unsigned c = 1; name && c < d->nchannels; c++)
        if (!d->channel[c].deleted && strcmp(d->channel[c].short_name, name) == 0)
            return &d->channel[c];
    return NULL;
}

enum answer user_delete(struct simdev *d, unsigned channel, pl command, pl report)
{
    const char *name = pl_get_str(command, "UserName");
    struct channel *c = user_find(d, name);
    bool all = false;
    (void)channel;
    pl_get_bool(command, "DeleteAllUsers", &all);
    if (!all && !name)
        return ANS_FORMAT_ERROR;
    if (!all && !c)
        return refuse(report, 12008, "There is no such user.");
    for (unsigned i = 1; i < d->nchannels; i++)
        if (all || c == &d->channel[i])
            d->channel[i].deleted = true;
    return ANS_ACKNOWLEDGED;
}

enum answer user_unlock(struct simdev *d, unsigned channel, pl command, pl report)
{
    (void)channel;
    return user_find(d, pl_get_str(command, "UserName"))
               ? ANS_ACKNOWLEDGED
               : refuse(report, 12008, "There is no such user.");
}

/* ------------------------------------------------------------------ books */

static struct book **book_place(struct simdev *d, int64_t store_id, const char *persistent)
{
    struct book **b = &d->books;
    while (*b && !(store_id ? (*b)->store_id == store_id
                            : (*b)->persistent && strcmp((*b)->persistent, persistent) == 0))
        b = &(*b)->next;
    return b;
}

void book_free(struct book **b)
{
    free((*b)->persistent);
    free((*b)->title);
    free((*b)->version);
    free(*b);
    *b = NULL;
}

static char *text_of(pl dict, const char *key)
{
    const char *s = pl_get_str(dict, key);
    return s ? strdup(s) : NULL;
}

static enum answer media_reject(pl report, const char *reason)
{
    pl_set_str(report, "RejectionReason", reason);
    return refuse(report, 12008, "The book cannot be installed.");
}

enum answer media_install(struct simdev *d, unsigned channel, pl command, pl report)
{
    const char *url = pl_get_str(command, "MediaURL"), *name = pl_get_str(command, "PersistentID");
    const char *type = pl_get_str(command, "MediaType");
    int64_t store_id = 0;
    (void)channel;
    pl_get_int(command, "iTunesStoreID", &store_id);
    if (!store_id && !url)
        return ANS_FORMAT_ERROR;
    if (strcmp(type, "Book") != 0)
        return media_reject(report, "WrongMediaType");
    if (!store_id && (!name || strncmp(url, "https:", 6) != 0))
        return media_reject(report, "DownloadInvalid");
    struct book **b = book_place(d, store_id, name);
    if (!*b && !(*b = calloc(1, sizeof **b)))
        abort();
    (*b)->store_id = store_id;
    free((*b)->persistent);
    free((*b)->title);
    free((*b)->version);
    (*b)->persistent = text_of(command, "PersistentID");
    (*b)->title = text_of(command, "Title");
    (*b)->version = text_of(command, "Version");
    if (store_id)
        pl_set_int(report, "iTunesStoreID", store_id);
    if (url && d->hw.kind != HW_MAC)
        pl_set_str(report, "MediaURL", url);
    if (name && d->hw.kind != HW_MAC)
        pl_set_str(report, "PersistentID", name);
    pl_set_str(report, "MediaType", "Book");
    pl_set_str(report, "State", "Installing");
    return ANS_ACKNOWLEDGED;
}

enum answer media_list(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl list = pl_new_array();
    (void)channel;
    (void)command;
    for (const struct book *b = d->books; b; b = b->next) {
        pl one = pl_new_dict();
        pl_set_int(one, "iTunesStoreID", b->store_id);
        pl_set_str(one, "State", "Managed");
        if (b->persistent)
            pl_set_str(one, "PersistentID", b->persistent);
        if (b->title)
            pl_set_str(one, "Title", b->title);
        if (b->version)
            pl_set_str(one, "Version", b->version);
        pl_append(list, one);
    }
    pl_set(report, "Books", list);
    return ANS_ACKNOWLEDGED;
}

enum answer media_remove(struct simdev *d, unsigned channel, pl command, pl report)
{
    const char *id = pl_get_str(command, "iTunesStoreID"),
               *name = pl_get_str(command, "PersistentID");
    (void)channel;
    if (!id && !name)
        return ANS_FORMAT_ERROR;
    struct book **place = book_place(d, id ? strtoll(id, NULL, 10) : 0, name ? name : ""),
                *gone = *place;
    if (!gone)
        return refuse(report, 12008, "The book is not managed.");
    *place = gone->next;
    book_free(&gone);
    return ANS_ACKNOWLEDGED;
}

/* ------------------------------------------------------------------ system updates */

/* The row of an array's entries in a command's answer. */
static pl entry_of(const struct simdev *d, const char *type, const char *path)
{
    return answer_made_up(d, catalogue_item(catalogue_path(catalogue_find(type), path), NULL));
}

enum answer update_schedule(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl asked = pl_get(command, "Updates"), results = pl_new_array();
    (void)channel;
    for (size_t i = 0; i < pl_size(asked); i++) {
        pl one = pl_at(asked, i), result = pl_new_dict();
        const char *key = pl_get_str(one, "ProductKey"),
                   *version = pl_get_str(one, "ProductVersion");
        const char *action = pl_get_str(one, "InstallAction");
        bool there =
            (key && strcmp(key, "OS-22A3354") == 0) || (version && strcmp(version, "18.0") == 0);
        pl_set_str(result, "ProductKey", key ? key : "OS-22A3354");
        pl_set_str(result, "InstallAction",
                   !there                           ? "Error"
                   : strcmp(action, "Default") == 0 ? "InstallASAP"
                                                    : action);
        pl_set_str(result, "Status",
                   !there                              ? "Idle"
                   : strcmp(action, "NotifyOnly") == 0 ? "Idle"
                                                       : "Downloading");
        if (!there)
            answer_error(result, "MCMDMErrorDomain", 12008, "There is no such update.");
        d->updating |= there && strcmp(action, "NotifyOnly") != 0;
        pl_append(results, result);
    }
    pl_set(report, "UpdateResults", results);
    return ANS_ACKNOWLEDGED;
}

enum answer update_status(struct simdev *d, unsigned channel, pl command, pl report)
{
    pl list = pl_new_array();
    (void)channel;
    (void)command;
    if (d->updating) {
        pl one = entry_of(d, "OSUpdateStatus", "answer:OSUpdateStatus");
        pl_append(list, one);
    }
    pl_set(report, "OSUpdateStatus", list);
    return ANS_ACKNOWLEDGED;
}
