/* libenrol.h: an enrolment under way, for its two parts: libenrol.c and libway.c. */
#ifndef DROVER_SIM_LIBENROL_H
#define DROVER_SIM_LIBENROL_H

#include "libscepclient.h"
#include "libsimdev.h"

struct enrolment {
    struct simdev *device; /* NULL: abandoned while a key was being made */
    bool waits_for_key;
    struct mobileconfig profile;
    struct mdm_setup *mdm;
    struct scep_caps caps;
    struct scep_ca ca;
    EVP_PKEY *key;
    struct scep_request request;
    struct buf message;      /* the request as sent: while a person decides it is sent again */
    struct loop_timer again; /* when */
    int64_t retries;         /* how often still */
    struct identity id;
    char *url; /* of the present request */
    /* of libway.c */
    bool service;         /* the identity is for the Profile Service */
    char *address;        /* where the device asks */
    char *challenge;      /* of the Profile Service */
    char *token;          /* access token */
    char *cookie;         /* of the web view */
    unsigned logins;      /* Digest answers so far */
    struct identity born; /* the built-in one */
};

/* Frees an enrolment that was abandoned while a key was being made. */
void enrol_forget(struct enrolment *e);
/* The enrolment ends; final: trying again does not help. */
void enrol_failed(struct simdev *d, bool final, int retry_after);
/* True when the answer is a 200; otherwise the enrolment has failed already. */
bool enrol_good(struct simdev *d, const struct httpc_result *r);
/* A request of the enrolment: GET without a body, else POST. headers: complete lines. */
void enrol_ask(struct simdev *d, const char *url, const char *headers, struct bytes body,
               httpc_fn *fn);
/* Goes on with the enrolment profile. */
void enrol_take(struct simdev *d, struct bytes profile);
/* Goes on with the SCEP payload in e->profile. */
void enrol_scep(struct simdev *d);

/* libway.c */
/* Begins as the options say. */
void way_begin(struct simdev *d);
/* Takes what the first address gave when it is a profile-service payload. */
bool way_service(struct simdev *d, struct bytes profile);
/* The Profile Service's identity is there. */
void way_identity(struct simdev *d);

#endif
