package harden

import "github.com/vault-bootstrap/vault-bootstrap/internal/product"

// Manual is something that no API shows, and how to check it by hand.
type Manual struct{ Name, How string }

// ByHand returns what cannot be checked here, as it is true of a server.
func ByHand(of product.Product) []Manual {
	list := byHand()
	for i := range list {
		list[i] = Manual{worded(list[i].Name, of), worded(list[i].How, of)}
	}
	return list
}

func byHand() []Manual {
	return []Manual{
		{"Vault does not run as root", "ps -o user= -C vault on each machine, or runAsNonRoot of its pods."},
		{"Swap is off", "swapon --show on each machine prints nothing."},
		{"Core dumps are off", "ulimit -c of Vault's process is 0: grep core /proc/$(pgrep -x vault)/limits."},
		{"Configuration, data and audit logs are readable by Vault only", "ls -l on each machine: owned by Vault's user, mode 0640 or less."},
		{"The firewall lets only clients reach port 8200, and only servers port 8201", "The rules of machines, security groups and load balancers."},
		{"Nothing else runs beside Vault", "The processes of each machine, or the node's pods."},
		{"The storage is backed up, and a restore was tried", "The date of the last restore; vault operator raft snapshot save makes a backup."},
		{"Audit logs are shipped, kept and watched", "The rules of the log system; an alert for every use of a root token."},
		{"Key shares that operators hold are with different people", "The custodians: vault-bootstrap keys list names them."},
		{"The standbys are configured as the active node is", "Compare their configuration files: the API shows the active node's."},
		{"The server's own user_lockout stanza is not disabled", "Look for disable_lockout in the configuration files: the API does not show it."},
		{"Users, other than service accounts, cannot read the keys Secret", "kubectl auth can-i get secret/NAME-keys --as=USER for those who use the cluster."},
	}
}
