/* device.c: see device.h: what a device is called, and what may be sent to it. */
#include "console/device.h"

#include "command/checked.h"

const char *const device_questions[] = {
    "DeviceInformation", "SecurityInfo",    "InstalledApplicationList",
    "ProfileList",       "CertificateList", "ProvisioningProfileList",
    "Restrictions",      "UserList",        NULL};
const char *const device_actions[] = {"DeviceLock", "RestartDevice", "ShutDownDevice", NULL};

bool device_names(const char *const *names, const char *s)
{
    while (*names && strcmp(*names, s) != 0)
        names++;
    return *names != NULL;
}

bool device_may_send(const struct page *p, const char *request_type)
{
    return page_may(p, "operate") || device_names(device_questions, request_type) ||
           device_names(device_actions, request_type);
}

enum outcome device_question(struct page *p, const char *ident, const char *type)
{
    cat c = catalogue_find(type);
    struct enrollment e;
    const char *why;
    enum outcome o = enrollment_get_whole(p->db, ident, p->a, &e, &p->err);
    if (o != OK || !c || e.state != ENROLLMENT_ENROLLED || !page_may(p, "assist"))
        return o;
    const struct device_facts takes = device_facts_of(&e);
    if (command_has(p->a, c, &takes, &why))
        value_set_text(p->root, "question", type);
    return OK;
}

bool device_newest(struct page *p, struct enrollment *e)
{
    struct fleet_device d;
    if (fleet_get(p->db, e->ident, p->a, &d, &p->err) != OK)
        return false;
    e->device_name = d.name;
    e->product_name = d.product_name;
    e->model_name = d.model_name;
    e->os_version = d.os_version;
    e->build_version = d.build_version;
    return true;
}

const char *device_name(const struct enrollment *e)
{
    return *e->device_name       ? e->device_name
           : *e->user_short_name ? e->user_short_name
           : *e->serial          ? e->serial
                                 : e->ident;
}
