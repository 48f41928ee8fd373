export interface Product {
  id: string;
  name: string;
  text: string;
}

export const products: Product[] = [
  { id: "tent", name: "Tent", text: "Two people & one cat fit in." },
  { id: "stove", name: "Stove", text: "Boils a litre in three minutes." },
];

export function find(id: string): Product | undefined {
  return products.find((product) => product.id === id);
}
