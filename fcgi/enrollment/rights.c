/* rights.c: see rights.h. */
#include "enrollment/rights.h"

const struct enroll_right enroll_rights[] = {{16, false, "enrol_see_device"},
                                             {32, false, "enrol_see_network"},
                                             {256, false, "enrol_see_apps"},
                                             {1024, false, "enrol_see_security"},
                                             {1, false, "enrol_see_profiles"},
                                             {512, false, "enrol_see_restrictions"},
                                             {64, false, "enrol_see_provisioning"},
                                             {2, true, "enrol_do_profiles"},
                                             {4096, true, "enrol_do_apps"},
                                             {2048, true, "enrol_do_settings"},
                                             {4, true, "enrol_do_lock"},
                                             {8, true, "enrol_do_erase"},
                                             {128, true, "enrol_do_provisioning"}};
const size_t enroll_rights_n = sizeof enroll_rights / sizeof *enroll_rights;
