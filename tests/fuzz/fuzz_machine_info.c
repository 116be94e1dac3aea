/* fuzz_machine_info.c: what a device signed, as anybody with a device's certificate may write it.
 */
#include "base/limits.h"
#include "enrollment/machine_info.h"
#include "fuzz.h"

static void check_text(const char *s)
{
    FUZZ_CHECK(s && strlen(s) <= 255);
    for (; *s; s++)
        FUZZ_CHECK((unsigned char)*s >= ' ' && *s != 0x7f);
}

static void as(struct arena *a, struct bytes in, enum machine_info_use use)
{
    struct machine_info m;
    if (machine_info_read(a, in, use, &m, NULL) != OK)
        return;
    const char *const texts[] = {m.udid,        m.serial,
                                 m.product,     m.build,
                                 m.os_version,  m.supplemental_build,
                                 m.imei,        m.supplemental_os_extra,
                                 m.meid,        m.language,
                                 m.challenge,   m.software_update_device_id,
                                 m.device_name, m.iccid,
                                 m.mac_address};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_text(texts[i]);
    FUZZ_CHECK(m.product[0] && m.build[0]);
    FUZZ_CHECK(use == MACHINE_INFO_ACCOUNT || m.udid[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct arena *a;
    if (!a)
        a = arena_new(16 * LIM_MB);
    as(a, bytes_of(p, n), MACHINE_INFO_DEVICE);
    as(a, bytes_of(p, n), MACHINE_INFO_ACCOUNT);
    as(a, bytes_of(p, n), MACHINE_INFO_SERVICE);
    arena_reset(a);
    return 0;
}
