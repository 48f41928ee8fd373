"""Well-known regions: where they are, and addresses that are likely to be located there.

The addresses are of universities, carriers and clouds. Nothing relies on them: each is looked up in the geo database before it stands for a
client of its region, and one that the database puts elsewhere is passed over.
"""

from dataclasses import dataclass

from controlplane.model import Location


@dataclass(frozen=True, slots=True)
class Region:
    """A place for nodes; *city* is its name for people, *addresses* are candidates for a client there."""

    name: str
    city: str
    location: Location
    addresses: tuple[str, ...]


def _region(name: str, city: str, latitude: float, longitude: float, addresses: str) -> tuple[str, Region]:
    return name, Region(name, city, Location(latitude, longitude), tuple(addresses.split()))


REGIONS: dict[str, Region] = dict(
    (
        _region("amsterdam", "Amsterdam", 52.37, 4.90, "145.18.0.1 130.37.0.1 194.109.6.66 193.0.6.1"),
        _region("auckland", "Auckland", -36.85, 174.76, "130.216.0.1 156.62.0.1 203.97.78.43"),
        _region("bogota", "Bogotá", 4.71, -74.07, "168.176.0.1 157.253.0.1 190.24.0.1 200.75.51.132"),
        _region("buenosaires", "Buenos Aires", -34.60, -58.38, "157.92.0.1 200.45.191.35 190.2.0.1 200.49.130.1"),
        _region("capetown", "Cape Town", -33.92, 18.42, "137.158.0.1 196.24.0.1 155.238.0.1"),
        _region("chicago", "Chicago", 41.88, -87.63, "128.135.0.1 129.105.0.1 128.248.0.1 147.126.0.1"),
        _region("dallas", "Dallas", 32.78, -96.80, "129.119.0.1 129.110.0.1 129.107.0.1"),
        _region("dubai", "Dubai", 25.20, 55.27, "195.229.0.1 213.42.20.20 5.32.0.1"),
        _region("frankfurt", "Frankfurt", 50.11, 8.68, "141.2.0.1 194.25.0.60 18.192.0.1 130.83.0.1"),
        _region("hongkong", "Hong Kong", 22.32, 114.17, "147.8.0.1 137.189.0.1 143.89.0.1 144.214.0.1"),
        _region("johannesburg", "Johannesburg", -26.20, 28.05, "146.141.0.1 152.106.0.1 196.25.1.1 41.0.0.1"),
        _region("lagos", "Lagos", 6.52, 3.38, "197.210.0.1 105.112.0.1 41.58.0.1 102.89.0.1"),
        _region("london", "London", 51.51, -0.13, "155.198.0.1 128.16.0.1 158.143.0.1 137.73.0.1 212.58.244.1"),
        _region("losangeles", "Los Angeles", 34.05, -118.24, "128.97.0.1 131.179.0.1 169.232.0.1 131.215.0.1"),
        _region("madrid", "Madrid", 40.42, -3.70, "147.96.0.1 150.244.0.1 138.100.0.1 80.58.61.250"),
        _region("melbourne", "Melbourne", -37.81, 144.96, "128.250.0.1 130.194.0.1 131.170.0.1 131.172.0.1"),
        _region("mexico", "Mexico City", 19.43, -99.13, "132.248.0.1 148.204.0.1 148.205.0.1 189.203.0.1"),
        _region("miami", "Miami", 25.76, -80.19, "129.171.0.1 131.94.0.1"),
        _region("mumbai", "Mumbai", 19.08, 72.88, "103.21.124.1 59.185.0.1 203.94.227.70 49.44.0.1"),
        _region("nairobi", "Nairobi", -1.29, 36.82, "41.204.160.1 197.136.0.1 196.201.208.1 41.212.0.1"),
        _region("newyork", "New York", 40.71, -74.01, "128.59.0.1 128.122.0.1 128.228.0.1 216.165.0.1"),
        _region("oregon", "Oregon", 45.59, -121.18, "35.160.0.1 44.224.0.1 52.32.0.1 54.148.0.1"),
        _region("osaka", "Osaka", 34.69, 135.50, "133.1.0.1"),
        _region("paris", "Paris", 48.86, 2.35, "134.157.0.1 212.27.40.240 80.10.246.2 192.134.0.1"),
        _region("sanfrancisco", "San Francisco", 37.77, -122.42, "130.212.0.1 169.229.0.1 128.32.0.1 171.64.0.1"),
        _region("santiago", "Santiago", -33.45, -70.67, "146.83.0.1 146.155.0.1 190.160.0.1 200.1.123.1"),
        _region("saopaulo", "São Paulo", -23.55, -46.63, "143.107.0.1 200.160.0.1 200.136.0.1 189.33.0.1"),
        _region("seattle", "Seattle", 47.61, -122.33, "128.95.0.1 128.208.0.1 140.142.0.1 66.93.87.2"),
        _region("seoul", "Seoul", 37.57, 126.98, "147.46.0.1 163.152.0.1 165.132.0.1 164.124.101.2"),
        _region("singapore", "Singapore", 1.35, 103.82, "137.132.0.1 155.69.0.1 202.166.0.1 165.21.83.88"),
        _region("stockholm", "Stockholm", 59.33, 18.07, "130.237.0.1 192.36.125.2 130.229.0.1 195.67.199.1"),
        _region("sydney", "Sydney", -33.87, 151.21, "129.78.0.1 149.171.0.1 138.25.0.1 137.111.0.1"),
        _region("telaviv", "Tel Aviv", 32.08, 34.78, "132.66.0.1 82.166.0.1 80.179.52.100 192.115.106.10"),
        _region("tokyo", "Tokyo", 35.68, 139.69, "133.11.0.1 157.82.0.1 133.9.0.1 203.178.128.1 210.130.0.1"),
        _region("toronto", "Toronto", 43.65, -79.38, "128.100.0.1 130.63.0.1 141.117.0.1 142.150.0.1"),
        _region("virginia", "Virginia", 39.04, -77.49, "129.174.0.1 192.5.6.30 128.143.0.1 52.0.0.1 3.80.0.1"),
        _region("warsaw", "Warsaw", 52.23, 21.01, "193.0.64.1 194.29.128.1 148.81.0.1 194.204.159.1"),
    )
)
