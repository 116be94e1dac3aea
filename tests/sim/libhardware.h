/*
 * libhardware.h: what a simulated device is: model, serial number, UDID and the like, plausible and
 * the same again for the same seed and index.
 */
#ifndef DROVER_SIM_LIBHARDWARE_H
#define DROVER_SIM_LIBHARDWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hw_kind { HW_IPHONE, HW_IPAD, HW_MAC, HW_APPLETV, HW_KINDS, HW_MIX = HW_KINDS };

struct hardware {
    enum hw_kind kind;
    char udid[48]; /* 40 hexadecimal digits, 8-16 digits, or a Mac's UUID */
    char serial[16];
    char enrollment_id[40]; /* what User Enrollment shows instead of both */
    char name[48], host_name[48];
    const char *product;    /* "iPhone14,5" */
    const char *model_name; /* "iPhone" */
    const char *model;      /* "MLPF3", or a Mac's "MacBookPro18,3" */
    const char *os, *build;
    char imei[16], meid[16]; /* "" without a cellular radio */
    char wifi_mac[18], bluetooth_mac[18], ethernet_mac[18];
    int capacity_gb;
    bool supervised;
    bool cellular;
};

/* "iphone", "ipad", "mac", "appletv", "mix"; false: none of them. */
bool hw_kind_parse(const char *s, enum hw_kind *kind);
const char *hw_kind_name(enum hw_kind kind);
/* The device number `index` of a seed. HW_MIX gives half iPhones and iPads, a third Macs and some
 * Apple TVs. */
void hw_make(uint64_t seed, unsigned index, enum hw_kind kind, struct hardware *hw);

/* n octets that depend on nothing but the seed, the index, the purpose and the count: push tokens,
 * unlock tokens, identifiers. */
void hw_octets(uint64_t seed, unsigned index, const char *purpose, unsigned count, void *out,
               size_t n);
/* The same as an upper-case UUID. */
void hw_uuid(uint64_t seed, unsigned index, const char *purpose, unsigned count, char out[37]);

#endif
