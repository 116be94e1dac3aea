/* access.c: method, path, status, time, bytes, note. */
#include "proc/access.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

/* What follows these in a path is a secret. */
static const char *const SECRET_PATHS[] = {"/enroll/", "/calendar/"};

static const char *method_name(enum method m)
{
    switch (m) {
    case METHOD_GET:
        return "GET";
    case METHOD_HEAD:
        return "HEAD";
    case METHOD_POST:
        return "POST";
    case METHOD_PUT:
        return "PUT";
    case METHOD_DELETE:
        return "DELETE";
    case METHOD_PATCH:
        return "PATCH";
    case METHOD_OTHER:
        break;
    }
    return "other";
}

static const char *shown_path(const char *path, char out[64])
{
    for (size_t i = 0; i < sizeof SECRET_PATHS / sizeof SECRET_PATHS[0]; i++) {
        size_t n = strlen(SECRET_PATHS[i]);
        if (strncmp(path, SECRET_PATHS[i], n) == 0 && path[n]) {
            snprintf(out, 64, "%s***", SECRET_PATHS[i]);
            return out;
        }
    }
    return path;
}

void access_log(const struct req *req, const struct resp *resp, size_t bytes)
{
    enum log_level level = resp->status >= 500 ? LOG_LEVEL_WARNING
                           : resp->routine     ? LOG_LEVEL_DEBUG
                                               : LOG_LEVEL_INFO;
    char path[64], status[16], ms[32], size[24];
    if (!log_enabled(level))
        return;
    snprintf(status, sizeof status, "%d", resp->status);
    snprintf(ms, sizeof ms, "%.1f", (double)(clock_mono() - req->start) / 1000.0);
    snprintf(size, sizeof size, "%zu", bytes);
    log_event(level, "request", "method", method_name(req->method), "path",
              shown_path(req->path, path), "status", status, "ms", ms, "bytes", size, "addr",
              req->remote_addr, "note", resp->note[0] ? resp->note : NULL, NULL);
}
