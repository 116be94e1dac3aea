/*
 * limits.h: the ceiling of every buffer, body, list and page, in one place. Bytes unless said.
 */
#ifndef DROVER_BASE_LIMITS_H
#define DROVER_BASE_LIMITS_H

#define LIM_KB 1024u
#define LIM_MB (1024u * 1024u)

/* requests */
#define LIM_BODY_CHECKIN (256u * LIM_KB)    /* a check-in message */
#define LIM_BODY_CONNECT (16u * LIM_MB - 1) /* a command report: what its column holds */
#define LIM_REPORT_SHORT (256u * LIM_KB)    /* what is kept of one that is more than that */
#define LIM_BODY_ATTESTED (64u * LIM_KB)    /* what a device signs before it enrols */
#define LIM_BODY_SCEP (64u * LIM_KB)        /* a PKIMessage */
#define LIM_BODY_API (16u * LIM_MB)         /* a raw command, NanoMDM's own ceiling */
#define LIM_PROFILE (4u * LIM_MB)           /* a profile of the library */
#define LIM_BODY_FORM (64u * LIM_KB)        /* a form of the console */
#define LIM_RESPONSE (32u * LIM_MB)         /* any answer */
#define LIM_PATH 8192u                      /* decoded path; the ids of /v1/push stand in it */
#define LIM_QUERY 131072u                   /* the query string; a SCEP GET carries its message */
#define LIM_HEADER_SIGNATURE (32u * LIM_KB) /* Mdm-Signature */
#define LIM_HEADER_ATTESTED (32u * LIM_KB)  /* x-apple-aspen-deviceinfo */
#define LIM_HEADER_CERT (16u * LIM_KB)      /* Client-Cert, PEM in a variable */
#define LIM_ARENA_REQUEST (48u * LIM_MB)    /* all that one request allocates */
#define LIM_ARENA_ORDER (256u * LIM_MB)     /* and besides, one command for very many devices */

/* property lists */
#define LIM_PLIST_DEPTH 64u     /* containers inside containers */
#define LIM_PLIST_NODES 200000u /* keys and values, shared references expanded */
#define LIM_PLIST_OCTETS                                                                           \
    (32u * LIM_MB)           /* of all strings and data, shared ones counted each time             \
                              */
#define LIM_PLIST_KEYS 2048u /* keys of one dictionary */

/* JSON */
#define LIM_JSON_DEPTH 64u
#define LIM_JSON_NODES 200000u /* values */

/* identifiers */
#define LIM_IDENT 255u /* an enrollment id, in bytes of UTF-8 */
#define LIM_UDID 128u
#define LIM_COMMAND_UUID 128u
#define LIM_TOPIC 255u
#define LIM_PUSH_TOKEN 512u
#define LIM_PUSH_MAGIC 255u
#define LIM_SECRET (64u * LIM_KB) /* an UnlockToken, a bootstrap token */
#define LIM_IDS 32767u            /* enrollments in one call of the HTTP API */

/* lists */
#define LIM_PAGE 500u /* rows of a page of the HTTP API */
#define LIM_BATCH 64u /* units of work in one batch */
#define LIM_LOG_LINE 4096u

#endif
