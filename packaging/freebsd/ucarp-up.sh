#!/bin/sh
# Takes the virtual address $2 on interface $1; $3 is ucarp_xparam.
exec /sbin/ifconfig "$1" inet "$2" netmask 255.255.255.255 alias
