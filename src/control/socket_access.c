/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/socket_access.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "base/log.h"
#include "port/vhost_user/vhost_user.h"
#include "vhost/socket_folder.h"

int socket_access_of(
	const struct model_port *model, struct vhost_socket_access *access, struct error *error)
{
	const struct passwd *user = *model->owner ? getpwnam(model->owner) : NULL;
	const struct group *group = *model->group ? getgrnam(model->group) : NULL;

	if (*model->owner && !user)
		return error_set(error, -ENOENT, "this machine has no user '%s'", model->owner);
	if (*model->group && !group)
		return error_set(error, -ENOENT, "this machine has no group '%s'", model->group);
	*access = (struct vhost_socket_access){
		.mode = model->socket_mode ? model->socket_mode : MODEL_SOCKET_MODE,
		.owner = user ? user->pw_uid : VHOST_SOCKET_AS_MADE,
		.group = group ? group->gr_gid : VHOST_SOCKET_AS_MADE,
	};
	return 0;
}

int socket_access_renew(struct port *port, const struct model_port *model, struct error *error)
{
	struct vhost_socket_access access;
	int rc = socket_access_of(model, &access, error);

	return rc < 0 ? rc : vhost_user_renew(port, &access, error);
}

void socket_access_check_folder(const struct model_port *model)
{
	struct error error;

	if (model->mode == MODEL_SERVER && socket_folder_check(model->socket, &error) == -EPERM)
		log_limited(LOG_LEVEL_WARNING, "port %s: %s", model->name, error.text);
}
