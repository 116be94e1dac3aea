/*
 * wanted_channel.h: whose channel an item goes to, as SQL: for the statements of store/wanted*.c
 * and those that ask the same.
 *
 * A configuration profile is for users by its PayloadScope, or as an administrator chose. It goes
 * to the user channels of Macs and Shared iPads; no other device has one, nor knows PayloadScope:
 * there it goes to the device's own.
 */
#ifndef DROVER_STORE_WANTED_CHANNEL_H
#define DROVER_STORE_WANTED_CHANNEL_H

/* Is it for users? i: library_item; v: its library_version that devices are to have. */
#define CHANNEL_FOR_USERS "(i.channel = 2 OR (i.channel = 0 AND v.scope = 2))"
/* Has the device `d` (an enrollment) users with channels of their own? */
#define CHANNEL_HAS_USERS(d)                                                                       \
    "(LOCATE('Mac', COALESCE(" d ".product_name, '')) > 0 OR EXISTS (SELECT 1 FROM inv_device "    \
    "hu WHERE hu.enrollment_id = " d ".id AND hu.is_multi_user = 1) OR EXISTS (SELECT 1 FROM "     \
    "enrollment hc WHERE hc.device_id = " d ".id AND hc.id <> hc.device_id))"
/* Does an item go to the channel `c` of the device `d`? users: CHANNEL_FOR_USERS, as a value. */
#define CHANNEL_FITS(users, c, d)                                                                  \
    "IF(" users ", (" c ".id <> " c ".device_id) = " CHANNEL_HAS_USERS(d) ", " c ".id = " c        \
                                                                          ".device_id)"

#endif
