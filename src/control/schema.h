/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the configuration's objects consist of: one row for each key says where its value lies in
 * the object's struct, what it may be, how it is written, and what a change of it means for a
 * running switch. Reading a file, checking a value, writing the file, comparing two models, showing
 * one (as text or JSON), completion and the manual's list of keys all derive from the rows, so a
 * key that is parsed but ignored by one of them cannot exist.
 *
 * An object is any struct that a table of rows describes: the switch's settings, a network, the
 * part that all ports have (model.h), and the part that only one kind of port has (its *_keys.h).
 * Lists in it are owned by it. What two keys, or two objects, may not be together is not stated
 * here: model_kind.complete, yaml/check.h.
 *
 * Any thread; the tables are constant.
 */
#ifndef VSW_CONTROL_SCHEMA_H
#define VSW_CONTROL_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "control/value.h"

/* What a change means for the VMs, from least to most. */
enum diff_effect {
	DIFF_LIVE,    /* nobody loses a frame but through what was asked for */
	DIFF_REOPEN,  /* this port's VMM is disconnected and connects again */
	DIFF_CUT,     /* and cannot: it was promised what the port will not have; judge.h */
	DIFF_RESTART, /* not possible while the switch runs */
};

/* The type of the field follows from the kind. */
enum schema_kind {
	SCHEMA_NUMBER,         /* unsigned, decimal, from minimum to maximum; 0: `nothing` */
	SCHEMA_CHOICE,         /* unsigned: which of the words */
	SCHEMA_FLAG,           /* unsigned: false or true */
	SCHEMA_MODE,           /* unsigned: permissions of a socket; 0: `nothing` */
	SCHEMA_PATH,           /* char[size], as all texts; absolute */
	SCHEMA_TEXT,           /* printable ASCII that `check` finds right */
	SCHEMA_USER,           /* a name that this machine knows */
	SCHEMA_GROUP,          /* likewise */
	SCHEMA_NETWORK,        /* the name of a network of the model */
	SCHEMA_NETWORKS,       /* struct value_names: networks that have a VLAN id, or `untagged` */
	SCHEMA_MAC,            /* struct value_mac */
	SCHEMA_ADDRESSES,      /* struct value_addresses, VALUE_PREFIX, at most `maximum` of them */
	SCHEMA_HOST_ADDRESSES, /* likewise, VALUE_INTERFACE */
	SCHEMA_TEXTS,          /* struct value_texts: as SCHEMA_TEXT, at most `maximum` of them */
	SCHEMA_SUBNET,         /* struct value_address: a network, from minimum to maximum bits */
	SCHEMA_FORWARDS,       /* struct value_forwards; in a file a map */
	SCHEMA_ADDRESS,        /* struct value_address: one address; `nothing` where not set */
};

struct schema_key {
	const char *name; /* as in the file; "fdb.size": the key "size" in the map "fdb" */
	enum schema_kind kind;
	size_t offset, size; /* of the field in the object */
	unsigned minimum, maximum;
	unsigned initial;         /* number, choice, flag: where the file says nothing */
	const char *initial_text; /* texts; NULL: "" */
	const char *map;          /* "fdb", in which the key stands; NULL: in the object's own */
	/* What no value is called, where there may be none: "none", "any", "auto". */
	const char *nothing;
	bool nothing_written;            /* and the file may say so */
	const char *const *words;        /* SCHEMA_CHOICE: NULL ends them */
	const char *(*word)(unsigned i); /* or this: NULL behind the last */
	const char *(*check)(
		const char *text); /* SCHEMA_TEXT(S): NULL, or what is wrong: "'...' %s" */
	bool untagged;             /* SCHEMA_NETWORKS: those without a VLAN id as well */
	/* SCHEMA_TEXTS, SCHEMA_FORWARDS: each is KEY=VALUE, which the file may say as a map. */
	bool pairs;
	bool repeats;            /* SCHEMA_TEXTS: the same may stand there twice */
	bool ipv6;               /* SCHEMA_SUBNET, SCHEMA_ADDRESS: else IPv4 */
	enum diff_effect effect; /* of a change */
	const char *member;      /* in JSON; NULL: the name in snake_case */
	const char *unit;        /* "bytes"; NULL: none */
	const char *help;        /* one line */
};

struct schema {
	const struct schema_key *keys;
	unsigned count;
	size_t size; /* of the object */
};

/* The field of a row; for the initializer of one. */
#define SCHEMA_FIELD(type, field)                                                                  \
	.offset = offsetof(struct type, field), .size = sizeof(((struct type *)0)->field)

/* What is wrong with permissions, behind their text. */
#define SCHEMA_MODE_RULE                                                                           \
	"is not a mode of a socket: four octal digits in quotes, such as \"0660\" (the owner may " \
	"always read and write)"

/* A value of a text, or an item of a list, as text; with the terminating zero. */
#define SCHEMA_TEXT_SIZE 128

/* Fills the object with what holds where the file says nothing. */
void schema_init(const struct schema *schema, void *object);
/* The same for one row; what the field holds is freed. */
void schema_reset(const struct schema_key *key, void *object);
/* Frees its lists; the values are the initial ones. */
void schema_fini(const struct schema *schema, void *object);
/* Fills *to, which is overwritten, with a copy. 0 or -ENOMEM (then *to is as initialised). */
int schema_copy(const struct schema *schema, void *to, const void *from);

const struct schema_key *schema_find(const struct schema *schema, const char *name);

/* The key's name within its map. */
const char *schema_inner_name(const struct schema_key *key);

bool schema_is_list(const struct schema_key *key);
/* The row's i-th word, NULL behind the last: of a choice or flag, else none. */
const char *schema_word(const struct schema_key *key, unsigned i);
/* True where the field holds a value, not `nothing`. */
bool schema_is_set(const struct schema_key *key, const void *object);
/* True where it is what a new object has. */
bool schema_is_initial(const struct schema_key *key, const void *object);
bool schema_equal(const struct schema_key *key, const void *a, const void *b);

/* Sets the field, or appends to the list, after checking the text. 0, -ENOMEM, or -EINVAL: *error
 * says what is wrong with it, not where, and the object is unchanged. That a network is one of the
 * model's is the caller's to know, and that a list of networks, which may be long, names none
 * twice. */
int schema_set(const struct schema_key *key, void *object, const char *text, struct error *error);
/* Puts a list in order, when it is complete. */
void schema_sort(const struct schema_key *key, void *object);

/* How many texts the value has: 1, or a list's items; 0 where it is not set. */
unsigned schema_count(const struct schema_key *key, const void *object);
/* The i-th of them, as the file would say it without quotes. */
void schema_text(
	const struct schema_key *key, const void *object, unsigned i, char text[SCHEMA_TEXT_SIZE]);
/* The whole value for a person: "[a, b]", or the word for nothing. */
void schema_print(FILE *out, const struct schema_key *key, const void *object);
/* What the value may be, without a blank: "1-4094", "drop|pass", "MAC". */
void schema_print_range(FILE *out, const struct schema_key *key);

/* 0, or -EINVAL with what is wrong with a name of ours: names become file names, too. */
int schema_check_name(const char *name, struct error *error);

#endif
